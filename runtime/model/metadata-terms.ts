/* What metadata.json may say, for its schema and for what reads plain documents without loading that. */

export const FEATURE_TYPES = ["number", "integer", "string", "boolean"] as const;
export const ACTIVATIONS = ["softmax", "sigmoid", "none"] as const;
/** Characters. */
export const LONGEST_NAME = 256;
export const LONGEST_VERSION = 128;
