import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";

/** The beginning and the end of a file, a character for each byte. */
interface Sample {
  readonly head: string;
  readonly tail: string;
}

interface Found {
  readonly file: string;
  /** Undefined where only the name is known. */
  readonly sample: Sample | undefined;
  /** Names of the other files of the folder. */
  readonly beside: readonly string[];
}

/** What another framework writes, and how that becomes a folder that is served. */
interface Format {
  readonly what: string;
  readonly named: RegExp;
  /** Files of many kinds are called so: it takes the content, or that there is nothing else, to be sure. */
  readonly isVague?: true;
  readonly holds?: (sample: Sample) => boolean;
  readonly way: (found: Found) => string;
}

const ZIP = "PK\x03\x04";
const PICKLES = ["\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"] as const; // by protocol
const TORCH_PICKLE = PICKLES[0];
const TORCH_LEGACY = "l\xfc\x9cF\xf9 j\xa8P\x19"; // the number that old files of torch.save begin with
const OBJECTIVE = /(?:binary|multi):\w+/;

/** The first that fits counts. */
const FORMATS: readonly Format[] = [
  {
    what: "a TorchScript archive",
    named: /^$/,
    holds: ({ head, tail }) => head.startsWith(ZIP) && tail.includes("/code/__torch__"),
    way: (found) =>
      pasted("torch", ["torch"], "model.eval()", found, "model is the torch.nn.Module that it was made of"),
  },
  {
    what: "a PyTorch checkpoint, which has weights and no graph",
    named: /\.(pt|pth|ckpt)$/i,
    holds: ({ head }) => isTorch(head) && !isTorchModule(head),
    way: checkpointCall,
  },
  {
    what: "a pickled PyTorch module",
    named: /^$/,
    holds: ({ head }) => isTorchModule(head),
    way: (found) => pasted("torch", ["torch"], `torch.load(${quoted(found.file)}, weights_only=False).eval()`, found),
  },
  {
    what: "weights without a graph",
    named: /\.safetensors$/i,
    holds: ({ head }) => /^[^]{4}\0{4}\{\s*"/.test(head),
    way: (found) => {
      if (found.beside.includes("config.json")) return `${commandLine} optimum-cli export onnx --model . onnx/`;
      const load = `safetensors.torch.load_model(model, ${quoted(found.file)}); `;
      return pasted("torch", ["safetensors.torch"], "model.eval()", found, "model is a new object of its class", load);
    },
  },
  {
    what: "a Keras model",
    named: /\.(keras|h5|hdf5)$/i,
    holds: ({ head, tail }) =>
      head.startsWith("\x89HDF\r\n") || (isZipOf(head, tail, "config.json") && isZipOf(head, tail, "model.weights.h5")),
    way: (found) => {
      if (!/\.weights\.h5$/i.test(found.file))
        return pasted("keras", ["keras"], `keras.models.load_model(${quoted(found.file)})`, found);
      const load = `model.load_weights(${quoted(found.file)}); `;
      return pasted("keras", [], "model", found, "model is a new one of the same layers", load);
    },
  },
  {
    what: "a TensorFlow SavedModel",
    named: /(^|\/)saved_model\.pb$/,
    way: () => `${commandLine} python -m tf2onnx.convert --saved-model . --output model.onnx`,
  },
  {
    what: "a TensorFlow Lite model",
    named: /\.tflite$/i,
    holds: ({ head }) => head.slice(4, 8) === "TFL3",
    way: ({ file }) => `${commandLine} python -m tf2onnx.convert --tflite ${file} --output model.onnx`,
  },
  {
    what: "a pickled model",
    named: /\.(pkl|pickle|joblib|sav)(\.(gz|bz2|xz|z|lz4))?$/i,
    holds: ({ head }) => PICKLES.some((protocol) => head.startsWith(protocol)),
    way: (found) => pasted(pickledBy(found.sample), ["joblib"], `joblib.load(${quoted(found.file)})`, found),
  },
  {
    what: "an XGBoost model",
    named: /\.(ubj|bst|xgb)$/i,
    holds: ({ head }) =>
      /^\s*\{\s*"learner"\s*:/.test(head) || /^\{L.{8}learner\{/s.test(head) || head.startsWith("binf"),
    way: xgboostCall,
  },
  {
    what: "a LightGBM model",
    named: /\.lgbm?$/i,
    holds: ({ head }) => /^tree\r?\nversion=v\d/.test(head),
    way: lightgbmCall,
  },
  {
    what: "a CatBoost model",
    named: /\.cbm$/i,
    holds: ({ head }) => head.startsWith("CBM1"),
    way: ({ file }) =>
      `In Python: import catboost; catboost.CatBoost().load_model(${quoted(file)}).save_model("model.onnx", format="onnx")`,
  },
  {
    what: "a PMML document, which nothing converts",
    named: /\.pmml$/i,
    holds: ({ head }) => /^\s*(<\?xml[^>]*>\s*)?(<!--[^]*?-->\s*)?<PMML\b/.test(head),
    way: (found) => pasted("sklearn", [], "estimator", found, "estimator is the one that the PMML was written from"),
  },
  // Of the names alone, where a single file is asked for.
  { what: "an XGBoost model, if a model at all", named: /\.(json|model)$/i, isVague: true, way: xgboostCall },
  {
    what: "a LightGBM model, if a model at all",
    named: /\.txt$/i,
    isVague: true,
    way: lightgbmCall,
  },
  {
    what: "a PyTorch checkpoint, if a model at all",
    named: /\.bin$/i,
    isVague: true,
    way: checkpointCall,
  },
];

/** What to do with a file of this name; undefined when the name is none of another framework's for certain. */
export function conversionOf(file: string, beside: readonly string[] = []): string | undefined {
  return conversion({ file, sample: undefined, beside }, (format) => !format.isVague && format.named.test(file));
}

/** The same where the file is all that there is: what may be a model is meant to be one. */
export function likelyConversionOf(file: string): string | undefined {
  return conversion({ file, sample: undefined, beside: [] }, ({ named }) => named.test(file));
}

/** What to do with a file, whatever its name is: undefined when its bytes are not known to be another framework's. */
export function conversionOfContent(path: string, beside: readonly string[] = []): string | undefined {
  const sample = sampleOf(path);
  return conversion({ file: basename(path), sample, beside }, ({ holds }) => holds?.(sample) ?? false);
}

function conversion(found: Found, fits: (format: Format) => boolean): string | undefined {
  const format = FORMATS.find(fits);
  return format && `${found.file} is ${format.what}; only ONNX is served. ${format.way(found)}`;
}

const HEAD_BYTES = 4096;
/** Where an archive has the names of its files. */
const TAIL_BYTES = 64 * 1024;

function sampleOf(path: string): Sample {
  const file = openSync(path, "r");
  try {
    const stats = fstatSync(file);
    const size = stats.isFile() ? stats.size : 0;
    const read = (from: number, bytes: number): string => {
      const buffer = Buffer.alloc(Math.min(bytes, size));
      return buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, from));
    };
    return { head: read(0, HEAD_BYTES), tail: read(Math.max(0, size - TAIL_BYTES), TAIL_BYTES) };
  } finally {
    closeSync(file);
  }
}

const isTorch = (head: string): boolean =>
  (head.startsWith(ZIP) && head.includes("/data.pkl")) ||
  (head.startsWith("\x80") && head.slice(0, 32).includes(TORCH_LEGACY));

/** A pickle of an object of a class, where a checkpoint is one of a dictionary. */
function isTorchModule(head: string): boolean {
  const [, pickled = ""] = head.slice(head.indexOf("/data.pkl")).split(TORCH_PICKLE, 2);
  return isTorch(head) && pickled.startsWith("c") && !pickled.startsWith("ccollections\n");
}

const isZipOf = (head: string, tail: string, name: string): boolean => head.startsWith(ZIP) && tail.includes(name);

/** The extra of the Python package that knows the pickled class. */
function pickledBy(sample: Sample | undefined): string {
  return /\b(xgboost|lightgbm|torch|keras)\b/.exec(sample?.head ?? "")?.[1] ?? "sklearn";
}

function checkpointCall(found: Found): string {
  const load = `model.load_state_dict(torch.load(${quoted(found.file)})); `;
  return pasted("torch", ["torch"], "model.eval()", found, "model is a new object of its class", load);
}

function lightgbmCall(found: Found): string {
  return pasted("lightgbm", ["lightgbm"], `lightgbm.Booster(model_file=${quoted(found.file)})`, found);
}

function xgboostCall(found: Found): string {
  const { sample, file } = found;
  const isClassifier = sample === undefined || OBJECTIVE.test(sample.tail);
  const load = `model = xgboost.${isClassifier ? "XGBClassifier" : "XGBRegressor"}(); model.load_model(${quoted(file)}); `;
  return pasted("xgboost", ["xgboost"], "model", found, undefined, load);
}

const commandLine = "On the command line, in its folder:";

/** A line of Python that writes the folder; `X` and what `where` explains are the user's own. */
function pasted(
  extra: string,
  imports: readonly string[],
  model: string,
  { beside }: Found,
  where?: string,
  load = "",
): string {
  const needsTask = extra === "torch"; // which a module does not tell
  const hasMetadata = beside.includes("metadata.json");
  const preprocessor = beside.find((name) => /^(preprocessor|scaler|transformer)\.(pkl|pickle|joblib)$/i.test(name));
  const modules = [...imports, ...(preprocessor && !imports.includes("joblib") ? ["joblib"] : [])];
  const call = [
    model,
    '"model/"',
    hasMetadata
      ? 'slipway.load_metadata("metadata.json")'
      : `{"version": "1.0.0"${needsTask ? ', "task": "classification"' : ""}}`,
    ...(preprocessor ? [`preprocessor=joblib.load(${quoted(preprocessor)})`] : []),
    "sample=X",
  ];
  const task = needsTask && !hasMetadata ? "task may be regression, too" : undefined;
  const meant = ["X holds some rows of the training data", where, task].filter(Boolean).join(", ");
  return `In Python, with slipway[${extra}], where ${meant}: import ${[...modules, "slipway"].join(", ")}; ${load}slipway.save_model(${call.join(", ")})`;
}

const quoted = (text: string): string => JSON.stringify(text);

/** MLflow's flavours whose models the Python package converts, and their modules in MLflow. */
const FLAVORS: Readonly<Record<string, { extra: string; module: string }>> = {
  sklearn: { extra: "sklearn", module: "sklearn" },
  keras: { extra: "keras", module: "keras" },
  tensorflow: { extra: "keras", module: "tensorflow" },
  pytorch: { extra: "torch", module: "pytorch" },
  xgboost: { extra: "xgboost", module: "xgboost" },
  lightgbm: { extra: "lightgbm", module: "lightgbm" },
};

/** Those that have an exporter of their own. */
const FLAVOR_EXPORTS: Readonly<Record<string, string>> = {
  transformers: "optimum-cli export onnx --model FOLDER onnx/",
  catboost: 'model.save_model("model.onnx", format="onnx")',
};

/** What to do with an MLflow model that has these flavours, none of them ONNX. `source` is its address. */
export function conversionOfFlavors(flavors: readonly string[], source: string): string {
  const flavor = flavors.find((name) => name !== "python_function") ?? "python_function";
  const what = `this is MLflow's ${flavor} flavour; only its onnx flavour is served.`;
  const known = FLAVORS[flavor];
  if (known === undefined) {
    const own = FLAVOR_EXPORTS[flavor];
    if (own !== undefined) return `${what} Export it by ${own}, and log that with mlflow.onnx.log_model`;
    return `${what} Log the model inside of it with slipway.log_model, or its graph with mlflow.onnx.log_model; code that has to stay Python is served by an image of its own`;
  }
  const name = /^models:\/+([^/@]+)[/@]/.exec(source)?.[1] ?? "NAME";
  const place = /^(configmap|pvc|hf|oci):/.test(source) ? "FOLDER" : source; // those MLflow cannot read
  const load = `mlflow.${known.module}.load_model(${quoted(place)})`;
  return `${what} In Python, with slipway[mlflow,${known.extra}], where X holds some rows of the training data: import mlflow, slipway; slipway.log_model(${load}, metadata={"version": "1.0.0"}, sample=X, registered_model_name=${quoted(name)})`;
}
