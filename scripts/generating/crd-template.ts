/**
 * The CRD as a template of the chart, not in its crds/ folder, which helm never upgrades. Kept on uninstall unless told
 * otherwise: with it every ModelDeployment would go.
 */
export function crdTemplate(crd: string): string {
  const metadata = "\nmetadata:\n";
  if (!crd.includes(metadata) || crd.includes("{{"))
    throw new Error("the CRD cannot be made a template: it has no metadata, or braces that helm would evaluate");
  const additions = [
    "  labels:",
    '    {{- include "slipway.labels" . | nindent 4 }}',
    "  {{- if .Values.crds.keep }}",
    "  annotations:",
    "    helm.sh/resource-policy: keep",
    "  {{- end }}",
  ].join("\n");
  return [
    "{{- if .Values.crds.install }}",
    crd.replace(metadata, `${metadata}${additions}\n`).trimEnd(),
    "{{- end }}",
    "",
  ].join("\n");
}
