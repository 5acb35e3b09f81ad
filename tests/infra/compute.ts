/** Compute Engine: one shape of request for all its collections, and machines that act on what they are told. */

import { ApiError, type Cloud, type Json, PROJECT, type Recorded } from "./cloud.ts";
import { objects } from "./storage.ts";

const ZONES = ["b", "c", "d"];

/** Links in documents come with several hosts; what counts is the path. */
function relative(link: string): string {
  return link.slice(link.indexOf("projects/"));
}

function withoutHosts(document: Json): Json {
  return JSON.parse(
    JSON.stringify(document),
    (_, value) =>
      typeof value === "string" && /^https?:\/\/.*\/projects\//.test(value)
        ? relative(value)
        : value,
  );
}

function metadataOf(document: Json): Record<string, string> {
  return Object.fromEntries(
    (document.metadata?.items ?? []).map((it: Json) => [it.key, it.value]),
  );
}

/** What the startup script would find in its way, in its words; nothing where all is there. */
function hindrance(cloud: Cloud, vm: Json, orders: Record<string, string>): string | undefined {
  const { email, scopes } = vm.serviceAccounts[0];
  const member = `serviceAccount:${email}`;
  const bucket = orders["kvs-bin-bucket"];
  const scoped = (name: string) =>
    scopes.some((it: string) => it.endsWith(`/${name}`) || it.endsWith("/cloud-platform"));
  const reads = scoped("devstorage.read_only") || scoped("devstorage.read_write");
  if (!cloud.get(vm.networkInterfaces[0].subnetwork).privateIpGoogleAccess) {
    return "no way to Google's APIs";
  }
  if (!reads || !cloud.grants(`buckets/${bucket}`, member, "roles/storage.objectViewer")) {
    return `may not read ${bucket}`;
  }
  const sums = `releases/${orders["kvs-release"]}/SHA256SUMS`;
  if (!objects(cloud, bucket).some((it) => it.name === sums)) return `no ${sums}`;
  for (const [order, secret] of Object.entries(orders)) {
    if (!/^kvs-.*-secret$/.test(order)) continue;
    const [holder] = secret.split("/versions/");
    const may = scoped("cloud-platform") &&
      cloud.grants(holder, member, "roles/secretmanager.secretAccessor");
    if (!may || !cloud.resources.has(secret)) return `may not read ${secret}`;
    const content = atob(cloud.get(secret).payload.data);
    if (order === "kvs-redis-secret" && !content.includes(`:${cloud.authString}@`)) {
      return "Redis does not take the password";
    }
  }
  if (/^KVS_REDIS_AUTH=iam$/m.test(orders["kvs-options"] ?? "")) {
    const valkey = [...cloud.resources.keys()].some((it) =>
      /\/locations\/[^/]+\/instances\//.test(it)
    );
    const role = `roles/${valkey ? "memorystore" : "redis"}.dbConnectionUser`;
    const may = scoped("cloud-platform") && cloud.grants(`projects/${PROJECT}`, member, role);
    if (!may) return "Redis does not take the token";
  }
  const data = orders["kvs-options"]?.match(/^KVS_BUCKET=(.*)$/m)?.[1];
  if (data) {
    const may = scoped("devstorage.read_write") &&
      cloud.grants(`buckets/${data}`, member, "roles/storage.objectUser");
    if (!may) return `may not write ${data}`;
  }
}

/** A VM follows its metadata, as the startup script and its watch do. */
function follow(cloud: Cloud, path: string): void {
  const vm = cloud.get(path);
  const orders = metadataOf(vm);
  const problem = hindrance(cloud, vm, orders) ??
    (cloud.answers(vm.name, orders) ? undefined : "the server does not answer");
  cloud.states.set(
    path,
    `${orders["kvs-deployment"]} ${problem ? `failed: ${problem}` : "ready"}`,
  );
}

function addInstance(cloud: Cloud, zone: string, body: Json): void {
  const path = `projects/${PROJECT}/zones/${zone}/instances/${body.name}`;
  const [nic] = body.networkInterfaces;
  nic.subnetwork = relative(nic.subnetwork);
  nic.networkIP ??= `10.120.0.${20 + cloud.resources.size % 200}`;
  cloud.add(path, {
    ...body,
    status: "RUNNING",
    zone: `projects/${PROJECT}/zones/${zone}`,
    selfLink: path,
  });
  follow(cloud, path);
}

function templatePath(link: string): string {
  return relative(link);
}

/** What the members of a group take from its template. */
function instanceFrom(cloud: Cloud, template: string, name: string): Json {
  return { ...structuredClone(cloud.get(template).properties), name };
}

function members(cloud: Cloud, group: Json): Json[] {
  return group.members.map((path: string) => cloud.get(path));
}

function addGroup(cloud: Cloud, region: string, path: string, document: Json): void {
  document.instanceTemplate = templatePath(document.instanceTemplate);
  document.instanceGroup = path.replace("instanceGroupManagers", "instanceGroups");
  document.status = { isStable: true };
  document.members = [];
  cloud.resources.set(document.instanceGroup, {
    name: document.name,
    selfLink: document.instanceGroup,
  });
  resize(cloud, region, document, Number(document.targetSize));
}

/** Makes VMs until a group has its size, or takes the last ones away. */
function resize(cloud: Cloud, region: string, document: Json, size: number): void {
  document.targetSize = size;
  for (const path of document.members.splice(size)) cloud.delete(path);
  for (let index = document.members.length; index < size; index++) {
    const zone = `${region}-${ZONES[index % ZONES.length]}`;
    const name = `${document.baseInstanceName}-${"abcdefgh"[index].repeat(4)}`;
    addInstance(cloud, zone, instanceFrom(cloud, document.instanceTemplate, name));
    document.members.push(`projects/${PROJECT}/zones/${zone}/instances/${name}`);
  }
}

function operation(scope: string, target: string, operationType = "insert"): Json {
  return {
    kind: "compute#operation",
    name: "operation-done",
    status: "DONE",
    progress: 100,
    operationType,
    targetLink: target,
    selfLink: `projects/${PROJECT}/${scope}/operations/operation-done`,
    ...(scope.startsWith("zones/") && { zone: `projects/${PROJECT}/${scope}` }),
    ...(scope.startsWith("regions/") && { region: `projects/${PROJECT}/${scope}` }),
  };
}

function insert(cloud: Cloud, scope: string, collection: string, given: Json): Json {
  const body = withoutHosts(given);
  const path = `projects/${PROJECT}/${scope}/${collection}/${body.name}`;
  if (collection === "instances") {
    addInstance(cloud, scope.split("/")[1], body);
    return operation(scope, path);
  }
  const document = { ...body, selfLink: path };
  if (scope.startsWith("regions/")) document.region = `projects/${PROJECT}/${scope}`;
  if (scope.startsWith("zones/")) document.zone = `projects/${PROJECT}/${scope}`;
  if (collection === "addresses") {
    document.address ??= scope === "global" ? "10.200.0.0" : "10.120.0.2";
    document.status = "RESERVED";
  }
  cloud.add(path, document);
  if (collection === "instanceGroupManagers") addGroup(cloud, scope.split("/")[1], path, document);
  return operation(scope, path);
}

function remove(cloud: Cloud, scope: string, path: string): Json {
  const document = cloud.get(path);
  if (document.instanceGroup) {
    const { instanceGroup } = document;
    delete document.instanceGroup;
    try {
      cloud.delete(instanceGroup);
    } catch (error) {
      document.instanceGroup = instanceGroup;
      throw error;
    }
    for (const member of members(cloud, document)) cloud.resources.delete(member.selfLink);
  }
  cloud.delete(path);
  return operation(scope, path, "delete");
}

/** The verbs that scripts use on one resource: `instances/kvs-server/setMetadata`. */
function act(
  cloud: Cloud,
  scope: string,
  path: string,
  verb: string,
  body: Json,
  query: URLSearchParams,
): Json {
  const document = cloud.get(path);
  switch (verb) {
    case "setMetadata":
      document.metadata = body;
      follow(cloud, path);
      return operation(scope, path);
    case "setInstanceTemplate":
      document.instanceTemplate = templatePath(body.instanceTemplate);
      cloud.get(document.instanceTemplate);
      return operation(scope, path);
    case "applyUpdatesToInstances":
      for (const link of body.instances) {
        const member = cloud.get(relative(link));
        member.metadata = structuredClone(cloud.get(document.instanceTemplate).properties.metadata);
        follow(cloud, relative(link));
      }
      return operation(scope, path);
    case "resize":
      resize(cloud, scope.split("/")[1], document, Number(query.get("size")));
      return operation(scope, path);
    case "listManagedInstances":
      return {
        managedInstances: members(cloud, document).map((it) => ({
          instance: it.selfLink,
          name: it.name,
          instanceStatus: "RUNNING",
          currentAction: "NONE",
        })),
      };
    case "getHealth": {
      const group = cloud.get(
        relative(body.group).replace("instanceGroups", "instanceGroupManagers"),
      );
      return {
        kind: "compute#backendServiceGroupHealth",
        healthStatus: members(cloud, group).map((it) => ({
          instance: it.selfLink,
          healthState: cloud.states.get(it.selfLink)?.endsWith("ready") ? "HEALTHY" : "UNHEALTHY",
          port: 11211,
        })),
      };
    }
    case "getGuestAttributes": {
      const value = cloud.states.get(path);
      if (!value) throw new ApiError(404, "The resource 'kvs/state' was not found", "notFound");
      return {
        kind: "compute#guestAttributes",
        queryPath: "kvs/state",
        queryValue: { items: [{ namespace: "kvs", key: "state", value }] },
      };
    }
  }
}

function aggregated(cloud: Cloud, collection: string): Json {
  const items: Json = {};
  for (const [path, document] of cloud.resources) {
    const match = path.match(
      `^projects/${PROJECT}/(global|regions/[^/]+|zones/[^/]+)/${collection}/[^/]+$`,
    );
    if (match) ((items[match[1]] ??= {})[collection] ??= []).push(document);
  }
  return { items };
}

export function computeApi(
  cloud: Cloud,
  { method, path, body }: Recorded,
  { query }: { query: URLSearchParams },
): Json {
  if (!cloud.apis.has("compute")) {
    throw new ApiError(
      403,
      `Compute Engine API has not been used in project ${PROJECT} before or it is disabled. compute.googleapis.com`,
      "accessNotConfigured",
    );
  }
  const inside = path.replace(/^compute\/v1\//, "");
  const image = inside.match(/^projects\/([^/]+)\/global\/images\/family\/(.+)$/);
  if (image) {
    return { name: image[2], selfLink: `projects/${image[1]}/global/images/${image[2]}-v1` };
  }
  const [, scope, rest] =
    inside.match(`^projects/${PROJECT}/(global|aggregated|regions/[^/]+|zones/[^/]+)/?(.*)$`) ?? [];
  if (scope === undefined) return inside === `projects/${PROJECT}` ? { name: PROJECT } : undefined;
  if (rest === "") return { name: scope.split("/")[1], selfLink: inside, status: "UP" };
  const [collection, name, verb] = rest.split("/");
  if (scope === "aggregated") return aggregated(cloud, collection);
  if (collection === "operations") return operation(scope, inside, "delete");
  if (["machineTypes", "diskTypes"].includes(collection)) return { name, selfLink: inside };
  const target = `projects/${PROJECT}/${scope}/${collection}`;
  if (name === undefined) {
    if (method === "GET") return { items: cloud.list(target) };
    if (method === "POST") return insert(cloud, scope, collection, body);
    return undefined;
  }
  if (verb !== undefined) return act(cloud, scope, `${target}/${name}`, verb, body, query);
  if (method === "GET") return cloud.get(`${target}/${name}`);
  if (method === "DELETE") return remove(cloud, scope, `${target}/${name}`);
  if (method === "PATCH" || method === "PUT") {
    Object.assign(cloud.get(`${target}/${name}`), withoutHosts(body));
    return operation(scope, `${target}/${name}`);
  }
}
