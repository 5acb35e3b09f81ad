/** The paths that git knows in this repository: what others get of it, without anybody's scratch files. */
export async function trackedFiles(): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command("git", { args: ["ls-files", "-z"] })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\0").slice(0, -1);
}
