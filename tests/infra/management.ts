/** The small APIs around the machines: IAM, projects, services, secrets, Redis and what connects it. */

import {
  ApiError,
  CA_CERTIFICATE,
  type Cloud,
  type Json,
  PROJECT,
  type Recorded,
} from "./cloud.ts";

const done = (response: Json = {}): Json => ({ name: "operations/done", done: true, response });

/** Operations of APIs with locations, which gcloud asks about by their full name. */
const doneAt = (path: string, response: Json = {}): Json => ({
  ...done(response),
  name: `${path.match(/projects\/[^/]+\/locations\/[^/]+/)![0]}/operations/done`,
});

/** Policies are read and written whole, as Google has it. */
function policy(cloud: Cloud, path: string, verb: string, body: Json): Json {
  if (verb === "setIamPolicy") cloud.policies.set(path, body.policy);
  return cloud.policies.get(path) ?? { etag: "ACAB", version: 1 };
}

function serviceUsage(cloud: Cloud, method: string, path: string, body: Json): Json {
  if (method === "GET" && path.startsWith("v1/operations")) return done();
  if (path.endsWith(":generateServiceIdentity")) return done();
  if (method === "GET" && path === `v1/projects/${PROJECT}/services`) {
    const services = [...cloud.apis].map((api) => ({
      name: `projects/${PROJECT}/services/${api}.googleapis.com`,
      config: { name: `${api}.googleapis.com` },
      state: "ENABLED",
    }));
    return { services };
  }
  const enable = path.match(/services\/([a-z]+)\.googleapis\.com:enable$/);
  const names: string[] = enable ? [`${enable[1]}.googleapis.com`] : body?.serviceIds ?? [];
  if (names.length === 0) return undefined;
  for (const name of names) cloud.apis.add(name.replace(".googleapis.com", ""));
  return done();
}

function serviceAccounts(cloud: Cloud, method: string, path: string, body: Json): Json {
  const base = `projects/${PROJECT}/serviceAccounts`;
  if (path === `v1/${base}` && method === "GET") return { accounts: cloud.list(base) };
  if (path === `v1/${base}` && method === "POST") {
    const email = `${body.accountId}@${PROJECT}.iam.gserviceaccount.com`;
    return cloud.add(`${base}/${email}`, {
      name: `${base}/${email}`,
      email,
      ...body.serviceAccount,
    });
  }
  if (method === "DELETE") {
    // an account's address says its project
    cloud.delete(path.slice("v1/".length).replace("projects/-/", `projects/${PROJECT}/`));
    return {};
  }
}

function projects(cloud: Cloud, path: string, body: Json): Json {
  const verb = path.split(":")[1];
  if (verb === "getIamPolicy" || verb === "setIamPolicy") {
    return policy(cloud, `projects/${PROJECT}`, verb, body);
  }
  if (path === `v1/projects/${PROJECT}`) {
    return { projectId: PROJECT, projectNumber: "1", lifecycleState: "ACTIVE" };
  }
}

function secrets(
  cloud: Cloud,
  method: string,
  path: string,
  body: Json,
  query: URLSearchParams,
): Json {
  const base = `projects/${PROJECT}/secrets`;
  const [name, verb] = path.slice("v1/".length).split(":");
  if (name === base && method === "GET") return { secrets: cloud.list(base) };
  if (name === base) {
    const id = query.get("secretId");
    return cloud.add(`${base}/${id}`, { name: `${base}/${id}`, ...body });
  }
  if (verb?.endsWith("IamPolicy")) {
    cloud.get(name);
    return policy(cloud, name, verb, body);
  }
  if (verb === "addVersion") {
    const version = `${name}/versions/${cloud.list(`${name}/versions`).length + 1}`;
    const { payload } = body;
    return cloud.add(version, {
      name: version,
      state: "ENABLED",
      payload,
      clientSpecifiedPayloadChecksum: payload.dataCrc32c !== undefined,
    });
  }
  if (name.endsWith("/versions")) return { versions: cloud.list(name).reverse() };
  if (verb === "access") {
    const version = name.endsWith("/latest")
      ? cloud.list(name.slice(0, -"/latest".length)).at(-1)
      : cloud.get(name);
    return { name: version.name, payload: version.payload };
  }
  if (method === "GET") return cloud.get(name);
  if (method === "DELETE") {
    for (const version of cloud.list(`${name}/versions`)) cloud.resources.delete(version.name);
    cloud.delete(name);
    return {};
  }
}

function redis(
  cloud: Cloud,
  method: string,
  path: string,
  body: Json,
  query: URLSearchParams,
): Json {
  const name = path.replace(/^v1(beta1)?\//, "");
  if (name.includes("/operations/")) return doneAt(name);
  const collection = name.match(/\/(instances|clusters)$/)?.[1];
  if (collection && method === "GET") return { [collection]: cloud.list(name) };
  if (collection && method === "POST") {
    const id = query.get(collection === "instances" ? "instanceId" : "clusterId");
    const made = collection === "instances"
      ? {
        host: "10.200.0.4",
        port: 6378,
        state: "READY",
        serverCaCerts: [{ serialNumber: "1", cert: CA_CERTIFICATE }],
      }
      : { state: "ACTIVE", discoveryEndpoints: [{ address: "10.120.0.9", port: 6379 }] };
    cloud.add(`${name}/${id}`, { ...body, name: `${name}/${id}`, ...made });
    return doneAt(name, cloud.get(`${name}/${id}`));
  }
  if (name.endsWith("/authString")) {
    cloud.get(name.slice(0, -"/authString".length));
    return { authString: cloud.authString };
  }
  if (name.endsWith("/certificateAuthority")) {
    cloud.get(name.slice(0, -"/certificateAuthority".length));
    return { name, managedServerCa: { caCerts: [{ certificates: [CA_CERTIFICATE] }] } };
  }
  if (method === "GET") return cloud.get(name);
  if (method === "DELETE") {
    cloud.delete(name);
    return doneAt(name);
  }
}

/** Peerings belong to the network that they lead out of. */
function serviceNetworking(cloud: Cloud, method: string, path: string, body: Json): Json {
  if (path.includes("operations/")) return done();
  if (method === "POST" && path.endsWith("/connections")) {
    const network = cloud.get(
      body.network.replace(/^projects\/[^/]+/, `projects/${PROJECT}`),
    );
    for (const range of body.reservedPeeringRanges) {
      cloud.get(`projects/${PROJECT}/global/addresses/${range}`);
    }
    network.peerings = [{ name: "servicenetworking-googleapis-com", state: "ACTIVE" }];
    return done();
  }
  const network = cloud.get(
    `projects/${PROJECT}/global/networks/${body?.consumerNetwork?.split("/").at(-1)}`,
  );
  if ([...cloud.resources.keys()].some((it) => /\/locations\/[^/]+\/instances\//.test(it))) {
    throw new ApiError(
      400,
      "Failed to delete connection; Producer services (e.g. CloudSQL, Cloud Memstore, etc.) are still using this connection.",
    );
  }
  delete network.peerings;
  return done();
}

function networkConnectivity(
  cloud: Cloud,
  method: string,
  path: string,
  body: Json,
  query: URLSearchParams,
): Json {
  const name = path.slice("v1/".length);
  if (name.includes("/operations/")) return doneAt(name);
  if (name.endsWith("/serviceConnectionPolicies")) {
    if (method === "GET") return { serviceConnectionPolicies: cloud.list(name) };
    const id = query.get("serviceConnectionPolicyId");
    return doneAt(name, cloud.add(`${name}/${id}`, { ...body, name: `${name}/${id}` }));
  }
  if (method === "GET") return cloud.get(name);
  if (method === "DELETE") {
    cloud.delete(name);
    return doneAt(name);
  }
}

/** Memorystore for Valkey: the same collections as Redis Cluster under another name. */
function memorystore(
  cloud: Cloud,
  method: string,
  path: string,
  body: Json,
  query: URLSearchParams,
): Json {
  const name = path.slice("v1/".length);
  if (name.includes("/operations/")) return doneAt(name);
  if (name.endsWith("/instances") && method === "GET") return { instances: cloud.list(name) };
  if (name.endsWith("/instances")) {
    const id = query.get("instanceId");
    const made = {
      state: "ACTIVE",
      discoveryEndpoints: [{ address: "10.120.0.9", port: 6379 }],
    };
    cloud.add(`${name}/${id}`, { ...body, name: `${name}/${id}`, ...made });
    return doneAt(name, cloud.get(`${name}/${id}`));
  }
  if (name.endsWith("/certificateAuthority")) {
    cloud.get(name.slice(0, -"/certificateAuthority".length));
    return { name, managedServerCa: { caCerts: [{ certificates: [CA_CERTIFICATE] }] } };
  }
  if (method === "GET") return cloud.get(name);
  if (method === "DELETE") {
    cloud.delete(name);
    return doneAt(name);
  }
}

const COLLECTIONS = [
  ...["patchDeployments", "dashboards", "alertPolicies", "uptimeCheckConfigs"],
  ...["namespaces", "services", "endpoints"],
];

/** Collections whose members are posted, listed and deleted, and nothing else. */
function plainCollection(
  cloud: Cloud,
  method: string,
  name: string,
  body: Json,
  id: string | null,
): Json {
  const collection = name.split("/").at(-1)!;
  if (COLLECTIONS.includes(collection)) {
    if (method === "GET") return { [collection]: cloud.list(name) };
    const path = `${name}/${id ?? cloud.list(name).length + 1}`;
    return cloud.add(path, { ...body, name: path });
  }
  if (method === "GET") return cloud.get(name);
  if (method === "DELETE") {
    // A namespace's services and their endpoints go with it.
    for (const path of [...cloud.resources.keys()]) {
      if (path.startsWith(`${name}/`)) cloud.resources.delete(path);
    }
    cloud.delete(name);
    return {};
  }
}

export function managementApi(
  cloud: Cloud,
  { method, path, body }: Recorded,
  { query }: { query: URLSearchParams },
): Json {
  const [, api, ...rest] = path.split("/");
  const inside = rest.join("/");
  if (api !== "serviceusage" && !cloud.apis.has(api)) {
    throw new ApiError(
      403,
      `${api}.googleapis.com API has not been used in project ${PROJECT} before or it is disabled.`,
      "SERVICE_DISABLED",
    );
  }
  switch (api) {
    case "serviceusage":
      return serviceUsage(cloud, method, inside, body);
    case "iam":
      return serviceAccounts(cloud, method, inside, body);
    case "cloudresourcemanager":
      return projects(cloud, inside, body);
    case "secretmanager":
      return secrets(cloud, method, inside, body, query);
    case "memorystore":
      return memorystore(cloud, method, inside, body, query);
    case "osconfig":
    case "servicedirectory":
    case "monitoring": {
      const name = inside.slice(inside.indexOf("/") + 1);
      return plainCollection(
        cloud,
        method,
        name,
        body,
        ["patchDeploymentId", "namespaceId", "serviceId", "endpointId"]
          .map((parameter) => query.get(parameter)).find((it) => it !== null) ?? null,
      );
    }
    case "redis":
      return redis(cloud, method, inside, body, query);
    case "servicenetworking":
      return serviceNetworking(cloud, method, inside, body);
    case "networkconnectivity":
      return networkConnectivity(cloud, method, inside, body, query);
  }
}
