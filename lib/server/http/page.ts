/**
 * The live page: one file that asks for nothing elsewhere.
 *
 * @module
 */

import uplotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import uplotScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import html from "./page/page.html" with { type: "text" };
import script from "./page/script.js" with { type: "text" };
import style from "./page/style.css" with { type: "text" };

let made: Promise<{ text: string; policy: string }> | undefined;

/** The page. Scripts and styles other than its own do not run in it. */
export async function page(): Promise<Response> {
  const { text, policy } = await (made ??= make());
  return new Response(text, {
    headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": policy },
  });
}

async function make(): Promise<{ text: string; policy: string }> {
  const styles = [uplotStyle, style];
  const scripts = [uplotScript, script];
  const text = html
    .replace("<!-- styles -->", () => styles.map((css) => `<style>${css}</style>`).join(""))
    .replace("<!-- scripts -->", () => scripts.map((js) => `<script>${js}</script>`).join(""));
  const hashes = async (texts: string[]) => (await Promise.all(texts.map(hashOf))).join(" ");
  const policy =
    `default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; ` +
    `frame-ancestors 'none'; script-src ${await hashes(scripts)}; style-src ${await hashes(
      styles,
    )}`;
  return { text, policy };
}

async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `'sha256-${new Uint8Array(digest).toBase64()}'`;
}
