/**
 * `completion`: what makes a shell complete kvs-client's commands and options.
 *
 * @module
 */

import { print } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import { type Command, type Commands, OWN_OPTIONS } from "./command.ts";
import { clientOptions } from "./options.ts";

export const completion: Command = {
  takes: "bash|zsh|fish",
  arguments: [1, 1],
  options: [],
  asksNobody: true,
  help: "print a script by which a shell completes commands and options",
  examples: [
    "kvs-client completion bash >/etc/bash_completion.d/kvs-client",
    'kvs-client completion zsh >"${fpath[1]}/_kvs-client"',
    "kvs-client completion fish >~/.config/fish/completions/kvs-client.fish",
  ],
  async run({ args, commands }) {
    const [shell] = args;
    await print(completionFor(shell!, commands));
    return Exit.ok;
  },
};

/**
 * The script for a shell.
 *
 * @throws {ExitError} 64 for a shell that there is no script for.
 */
export function completionFor(shell: string, commands: Commands): string {
  switch (shell) {
    case "bash":
      return bash(commands);
    case "zsh":
      return zsh(commands);
    case "fish":
      return fish(commands);
  }
  throw new ExitError(`completion takes bash, zsh or fish, received '${shell}'`, Exit.usage);
}

/** The commands with their help, `help` among them. */
function named(commands: Commands): (readonly [name: string, help: string])[] {
  return [
    ...Object.entries(commands).map(([name, { help }]) => [name, help] as const),
    ["help", "print what a command takes"],
  ];
}

type OptionName = keyof typeof clientOptions;

/** Options that stand with every command. */
function general(): OptionName[] {
  const own: readonly string[] = OWN_OPTIONS;
  return (Object.keys(clientOptions) as OptionName[]).filter((name) => !own.includes(name));
}

function longOf(option: OptionName): string {
  return clientOptions[option].flags.split(", ").at(-1)!;
}

function optionsOf(command: Command): string[] {
  return [...command.options, ...general()].map(longOf);
}

function bash(commands: Commands): string {
  const cases = Object.entries(commands).map(([name, command]) =>
    `    ${name}) words="${optionsOf(command).join(" ")}" ;;`
  );
  const names = named(commands).map(([name]) => name).join(" ");
  return `# bash completion for kvs-client
_kvs_client() {
  local word=\${COMP_WORDS[COMP_CWORD]} command= words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case " ${names} " in
    *" \${COMP_WORDS[i]} "*) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  if [[ $word != -* ]]; then
    case $command in
    "" | help) words="${names}" ;;
    completion) words="bash zsh fish" ;;
    *) COMPREPLY=($(compgen -f -- "$word")); return ;;
    esac
  else
    case $command in
${cases.join("\n")}
    *) words="${general().map(longOf).join(" ")}" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _kvs_client kvs-client
`;
}

/** A text in single quotes, for sh and zsh. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function zsh(commands: Commands): string {
  const rows = named(commands).map(([name, help]) => `    ${quote(`${name}:${help}`)}`).join("\n");
  const cases = Object.entries(commands).map(([name, command]) =>
    `    ${name}) compadd -- ${optionsOf(command).join(" ")} ;;`
  );
  return `#compdef kvs-client
_kvs_client() {
  local -a commands
  commands=(
${rows}
  )
  local word command=
  for word in \${words[2,CURRENT-1]}; do
    [[ -n \${(M)commands:#$word:*} ]] && command=$word && break
  done
  if [[ \${words[CURRENT]} == -* ]]; then
    case $command in
${cases.join("\n")}
    *) compadd -- ${general().map(longOf).join(" ")} ;;
    esac
  elif [[ -z $command || $command == help ]]; then
    _describe command commands
  elif [[ $command == completion ]]; then
    compadd -- bash zsh fish
  else
    _files
  fi
}
_kvs_client "$@"
`;
}

function fish(commands: Commands): string {
  const names = named(commands).map(([name]) => name).join(" ");
  const text = (words: string) => `'${words.replace(/[\\']/g, "\\$&")}'`;
  const lines = named(commands).map(([name, help]) =>
    `complete -c kvs-client -f -n "not __fish_seen_subcommand_from ${names}" -a ${name} -d ${
      text(help)
    }`
  );
  for (const option of general()) lines.push(fishOption(option, "", text));
  for (const option of OWN_OPTIONS) {
    const takers = Object.entries(commands).filter(([, command]) =>
      command.options.includes(option)
    );
    const seen = takers.map(([name]) => name).join(" ");
    lines.push(fishOption(option, ` -n "__fish_seen_subcommand_from ${seen}"`, text));
  }
  lines.push(
    `complete -c kvs-client -f -n "__fish_seen_subcommand_from completion" -a "bash zsh fish"`,
  );
  return `# fish completion for kvs-client\n${lines.join("\n")}\n`;
}

function fishOption(option: OptionName, when: string, text: (words: string) => string): string {
  const { help, value, flags } = clientOptions[option];
  const short = /^-(\w),/.exec(flags)?.[1];
  return `complete -c kvs-client${when} -l ${longOf(option).slice(2)}${
    short === undefined ? "" : ` -s ${short}`
  }${value === undefined ? "" : " -r"} -d ${text(help)}`;
}
