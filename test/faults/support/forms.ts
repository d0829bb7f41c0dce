/** `npm run test:faults -- --long`: what takes minutes each, at its full length. */
export const isLongForm = process.env["FAULTS"] === "long";
