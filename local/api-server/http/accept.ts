/** Whether an Accept header has room for JSON, the only form of this server's answers. */
export function acceptsJson(accept: string | undefined): boolean {
  return (accept || "*/*").split(",").some((entry) => {
    const [type = "", ...parameters] = entry.split(";").map((part) => part.trim().toLowerCase());
    const isJson = type === "application/json" || type === "application/*" || type === "*/*";
    const version = parameters.find((parameter) => parameter.startsWith("v="));
    const transformed = parameters.some((parameter) => parameter.startsWith("as="));
    return isJson && (!transformed || version === "v=v1" || version === "v=v1beta1");
  });
}
