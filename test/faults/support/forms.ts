const { FAULTS, KUBECONFIG, KUBEBUILDER_ASSETS } = process.env;

/** What takes minutes each is done at its full length. */
export const isLongForm = FAULTS === "long";

/** The API server is a real one, with quotas and admission policies. */
export const isRealCluster = Boolean(KUBECONFIG || KUBEBUILDER_ASSETS);
