/**
 * Imported before onnxruntime-node wherever that is. Its official binaries report names and hashes of models to Microsoft
 * unless this variable is set when its library is loaded: a model server must not.
 */
// oxlint-disable-next-line node/no-process-env -- the library reads nothing but the process's own environment
process.env["ORT_DISABLE_TELEMETRY"] = "1";
