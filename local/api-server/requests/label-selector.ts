import { badRequest } from "../api-error.ts";
import { labelKeyProblems, labelValueProblems } from "../validation/names.ts";

type Labels = Readonly<Record<string, string>>;
type Matches = (labels: Labels) => boolean;

/** The predicate of a `labelSelector` (`app=web,tier in (front,back),!legacy`). Throws 400 in the real server's words. */
export function parseLabelSelector(text: string): Matches {
  const requirements = new Parser(tokensOf(text)).requirements();
  return (labels) => requirements.every((matches) => matches(labels));
}

interface Token {
  kind: "identifier" | "end" | "in" | "notin" | "(" | ")" | "," | "!" | "=" | "==" | "!=" | ">" | "<";
  text: string;
}

const symbols = /[=!(),<>]/;
const operators = ["in", "notin", "=", "==", "!=", ">", "<"] as const;
const operatorNames = "in, notin, =, ==, !=, gt, lt";

function tokensOf(text: string): Token[] {
  return [...text.matchAll(/==|!=|[=!(),<>]|[^\s=!(),<>]+/g)].map(([found]): Token => {
    const isWord = !symbols.test(found) && found !== "in" && found !== "notin";
    return { kind: isWord ? "identifier" : (found as Token["kind"]), text: found };
  });
}

class Parser {
  private readonly tokens: Token[];

  constructor(tokens: Token[]) {
    this.tokens = tokens;
  }

  requirements(): Matches[] {
    const found: Matches[] = [];
    for (;;) {
      const { kind, text } = this.next();
      if (kind === "end") return found;
      if (kind !== "identifier" && kind !== "!")
        throw badRequest(`found '${text}', expected: !, identifier, or 'end of string'`);
      found.push(this.requirement());
      const separator = this.take();
      if (separator.kind === "end") return found;
      if (separator.kind !== ",") throw badRequest(`found '${separator.text}', expected: ',' or 'end of string'`);
      const after = this.next();
      if (after.kind !== "identifier" && after.kind !== "!")
        throw badRequest(`found '${after.text}', expected: identifier after ','`);
    }
  }

  private requirement(): Matches {
    const absent = this.next().kind === "!";
    if (absent) this.take();
    const key = this.take();
    if (key.kind !== "identifier") throw unparsable(`found '${key.text}', expected: identifier`);
    for (const problem of labelKeyProblems(key.text))
      throw unparsable(`<nil>: Invalid value: ${JSON.stringify(key.text)}: ${problem}`);
    if (absent) return (labels) => !Object.hasOwn(labels, key.text);
    if (this.next().kind === "end" || this.next().kind === ",") return (labels) => Object.hasOwn(labels, key.text);
    const operator = this.operator();
    const values = operator === "in" || operator === "notin" ? this.values() : [this.value()];
    checkValues(key.text, operator, values);
    return matcher(key.text, operator, values);
  }

  private operator(): (typeof operators)[number] {
    const { kind, text } = this.tokens.shift() ?? end;
    const known = operators.find((operator) => operator === kind);
    if (known === undefined) throw unparsable(`found '${text}', expected: ${operatorNames}`);
    return known;
  }

  private value(): string {
    if (this.next().kind === "end" || this.next().kind === ",") return "";
    const { kind, text } = this.take();
    if (kind !== "identifier") throw unparsable(`found '${text}', expected: identifier`);
    return text;
  }

  /** `(a, b)`; a comma without a neighbour stands beside the empty value. */
  private values(): string[] {
    const open = this.take();
    if (open.kind !== "(") throw unparsable(`found '${open.text}' expected: '('`);
    if (!["identifier", ",", ")"].includes(this.next().kind))
      throw unparsable(`found '${this.next().text}', expected: ',', ')' or identifier`);
    if (this.next().kind === ")") {
      this.take();
      return [];
    }
    const values: string[] = [];
    for (;;) {
      values.push(this.next().kind === "identifier" ? this.take().text : "");
      const { kind, text } = this.take();
      if (kind === ")") return values;
      if (kind !== ",") throw unparsable(`found '${text}', expected: ',' or ')'`);
    }
  }

  /** Only where an operator is expected are `in` and `notin` words of the language. */
  private next(): Token {
    const token = this.tokens[0] ?? end;
    return token.kind === "in" || token.kind === "notin" ? { ...token, kind: "identifier" } : token;
  }

  private take(): Token {
    const token = this.next();
    this.tokens.shift();
    return token;
  }
}

const end: Token = { kind: "end", text: "" };

function unparsable(why: string): Error {
  return badRequest(`unable to parse requirement: ${why}`);
}

function checkValues(key: string, operator: string, values: readonly string[]): void {
  if (values.length === 0)
    throw unparsable("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty");
  values.forEach((value, index) => {
    const shown = JSON.stringify(value);
    if ((operator === ">" || operator === "<") && !/^[+-]?\d+$/.test(value))
      throw unparsable(
        `values[${index}]: Invalid value: ${shown}: for 'Gt', 'Lt' operators, the value must be an integer`,
      );
    for (const problem of labelValueProblems(value))
      throw unparsable(`values[${index}][${key}]: Invalid value: ${shown}: ${problem}`);
  });
}

function matcher(key: string, operator: (typeof operators)[number], values: readonly string[]): Matches {
  const isAmong = (labels: Labels): boolean => Object.hasOwn(labels, key) && values.includes(labels[key] ?? "");
  const [bound] = values;
  if (operator === "notin" || operator === "!=") return (labels) => !isAmong(labels);
  if (operator === ">") return (labels) => Number(labels[key] ?? Number.NaN) > Number(bound);
  if (operator === "<") return (labels) => Number(labels[key] ?? Number.NaN) < Number(bound);
  return isAmong;
}
