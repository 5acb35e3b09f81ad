/**
 * The service's own words for what went wrong, as the JSON API and the XML API put them
 * (cloud.google.com/storage/docs/json_api/v1/status-codes and /xml-api/reference-status).
 *
 * @module
 */

import type { HttpResponse } from "./http.ts";

/** A request that the service refuses. */
export class Refusal extends Error {
  /** @param plain whether the message is all that is said, as text. */
  constructor(
    readonly status: number,
    /** The JSON API's `reason`. */
    readonly reason: string,
    /** The XML API's `Code`. */
    readonly code: string,
    message: string,
    readonly location?: string,
    readonly plain = false,
  ) {
    super(message);
  }

  /** As the JSON API answers it. */
  json(): HttpResponse {
    const { status: code, message, reason } = this;
    if (this.plain) {
      return {
        status: code,
        headers: { "content-type": "text/plain; charset=utf-8" },
        body: message,
      };
    }
    const detail: Record<string, string> = { message, domain: domains[reason] ?? "global", reason };
    if (this.location !== undefined) {
      detail.locationType = "header";
      detail.location = this.location;
    }
    return {
      status: code,
      headers: { "content-type": "application/json; charset=UTF-8" },
      body: JSON.stringify({ error: { code, message, errors: [detail] } }),
    };
  }

  /** As the XML API answers it. */
  xml(): HttpResponse {
    return {
      status: this.status,
      headers: { "content-type": "application/xml; charset=UTF-8" },
      body: `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${this.code}</Code><Message>${
        this.message.replace(/[<&]/g, (sign) => sign === "<" ? "&lt;" : "&amp;")
      }</Message></Error>`,
    };
  }
}

const domains: Record<string, string> = { rateLimitExceeded: "usageLimits" };

export function noSuchObject(bucket: string, name: string): Refusal {
  return new Refusal(404, "notFound", "NoSuchKey", `No such object: ${bucket}/${name}`);
}

export function noSuchBucket(): Refusal {
  return new Refusal(404, "notFound", "NoSuchBucket", "The specified bucket does not exist.");
}

export function conditionNotMet(): Refusal {
  return new Refusal(
    412,
    "conditionNotMet",
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold.",
    "If-Match",
  );
}

export function invalid(message: string): Refusal {
  return new Refusal(400, "invalid", "InvalidArgument", message);
}

export function objectRateLimit(bucket: string, name: string): Refusal {
  return new Refusal(
    429,
    "rateLimitExceeded",
    "SlowDown",
    `The object ${bucket}/${name} exceeded the rate limit for object mutation operations ` +
      "(create, update, and delete). Please reduce your request rate. " +
      "See https://cloud.google.com/storage/docs/gcs429.",
  );
}

export function bucketRateLimit(bucket: string): Refusal {
  return new Refusal(
    429,
    "rateLimitExceeded",
    "SlowDown",
    `The bucket ${bucket} exceeded the rate limit for requests. Please reduce your request rate. ` +
      "See https://cloud.google.com/storage/docs/gcs429.",
  );
}

/** The session of a resumable upload is over, or was never begun. */
export function sessionGone(): Refusal {
  return new Refusal(404, "notFound", "NoSuchUpload", "Upload session not found.", undefined, true);
}

/** A part of a resumable upload begins behind what has come of it; said in text, as the service does. */
export function offsetTooLarge(from: number, kept: number): Refusal {
  return new Refusal(
    503,
    "backendError",
    "InternalError",
    `Invalid request.  According to the Content-Range header, the upload offset is ${from} byte(s), ` +
      `which exceeds already uploaded size of ${kept} byte(s).`,
    undefined,
    true,
  );
}

/** cloud.google.com/storage/docs/bucket-lock */
export function retained(bucket: string, name: string, until: string): Refusal {
  return new Refusal(
    403,
    "retentionPolicyNotMet",
    "RetentionPolicyNotMet",
    `Object '${bucket}/${name}' is subject to bucket's retention policy or object retention and ` +
      `cannot be deleted or overwritten until ${until}`,
  );
}

/** cloud.google.com/storage/docs/object-holds */
export function held(bucket: string, name: string): Refusal {
  return new Refusal(
    403,
    "objectUnderActiveHold",
    "ObjectUnderActiveHold",
    `Object '${bucket}/${name}' is under active Temporary hold and cannot be deleted, overwritten ` +
      "or archived until hold is removed.",
  );
}

export function anonymous(permission: string): Refusal {
  return new Refusal(
    401,
    "required",
    "AuthenticationRequired",
    `Anonymous caller does not have ${permission} access to the Google Cloud Storage object. ` +
      `Permission '${permission}' denied on resource (or it may not exist).`,
    "Authorization",
  );
}

export function invalidCredentials(): Refusal {
  return new Refusal(
    401,
    "authError",
    "AuthenticationRequired",
    "Invalid Credentials",
    "Authorization",
  );
}

export function forbidden(account: string, permission: string): Refusal {
  return new Refusal(
    403,
    "forbidden",
    "AccessDenied",
    `${account} does not have ${permission} access to the Google Cloud Storage object. ` +
      `Permission '${permission}' denied on resource (or it may not exist).`,
  );
}

/** Any status on demand, in words that fit it. */
export function refusalOf(status: number): Refusal {
  const [reason, code, message] = others[status] ??
    ["backendError", "InternalError", "We encountered an internal error. Please try again."];
  return new Refusal(status, reason, code, message);
}

const others: Record<number, [reason: string, code: string, message: string]> = {
  401: ["authError", "AuthenticationRequired", "Invalid Credentials"],
  403: ["forbidden", "AccessDenied", "Access denied."],
  404: ["notFound", "NoSuchBucket", "The specified bucket does not exist."],
  408: ["requestTimeout", "RequestTimeout", "The request timed out."],
  429: ["rateLimitExceeded", "SlowDown", "Rate limit exceeded. Please reduce your request rate."],
  503: ["backendError", "ServiceUnavailable", "Service Unavailable"],
};
