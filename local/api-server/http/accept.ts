/** Whether an Accept header has room for JSON, the only form of this server's answers. */
export function acceptsJson(accept: string | undefined): boolean {
  const types = (accept || "*/*").split(",").map((type) => type.split(";")[0]?.trim().toLowerCase() ?? "");
  return types.some((type) => type === "application/json" || type === "application/*" || type === "*/*");
}
