/** How files of other frameworks become ONNX, by file name. */
const CONVERSIONS: readonly { pattern: RegExp; framework: string; call: string }[] = [
  {
    pattern: /\.(pkl|pickle|joblib)$/i,
    framework: "a pickled (scikit-learn) model",
    call: 'skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})',
  },
  { pattern: /\.(h5|hdf5|keras)$/i, framework: "a Keras model", call: 'model.export("model.onnx", format="onnx")' },
  {
    pattern: /^saved_model\.pb$|\.tflite$/i,
    framework: "a TensorFlow model",
    call: "python -m tf2onnx.convert --saved-model FOLDER --output model.onnx",
  },
  {
    pattern: /\.(pt|pth|ckpt|safetensors)$/i,
    framework: "a PyTorch model",
    call: 'torch.onnx.export(model, example, "model.onnx", dynamo=True)',
  },
  {
    pattern: /\.(ubj|bst|xgb)$|^xgboost.*\.json$/i,
    framework: "an XGBoost model",
    call: "onnxmltools.convert_xgboost(model, initial_types=…)",
  },
  { pattern: /\.cbm$/i, framework: "a CatBoost model", call: 'model.save_model("model.onnx", format="onnx")' },
];

/** What to do with another framework's file; undefined when the name is none that we know. */
export function conversionOf(file: string): string | undefined {
  const known = CONVERSIONS.find(({ pattern }) => pattern.test(file));
  return known && `${file} is ${known.framework}; only ONNX is served. Convert it to model.onnx: ${known.call}`;
}
