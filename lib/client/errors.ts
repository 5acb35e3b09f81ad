/**
 * What can go wrong between a client and a server.
 *
 * @module
 */

/** The server cannot be reached, or the connection to it was lost before the reply came. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

/**
 * The reply did not come in time. The connection is given up, as a late reply would be taken for
 * the next one's; whether the server has carried out the request is not known.
 */
export class TimeoutError extends UnreachableError {
  override name = "TimeoutError";
}

/**
 * What came is no reply to what was asked: the other side does not speak memcached, or speaks it
 * wrong. The connection is given up.
 */
export class UnreadableError extends UnreachableError {
  override name = "UnreadableError";
}

/** The server answered with `SERVER_ERROR …`: it could not do what it was asked. */
export class ServerError extends Error {
  override name = "ServerError";
}

/** The server answered with `CLIENT_ERROR …` or `ERROR`: it does not take the request. */
export class RequestError extends Error {
  override name = "RequestError";
}

/** The server does not take the user or the password: the message names the server and the user. */
export class LoginError extends RequestError {
  override name = "LoginError";
}

/** The error for a server's error line. */
export function errorOf(line: string): ServerError | RequestError {
  return line.startsWith("SERVER_ERROR") ? new ServerError(line) : new RequestError(line);
}
