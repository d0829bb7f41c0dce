/** Whether a file of this name is unpacked. */
export const isArchive = (path: string): boolean => /\.(?:tar\.gz|tgz|tar|zip)$/i.test(path);
