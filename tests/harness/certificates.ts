/** Files of a throw-away certification authority and of a server it vouches for, PEM. */
export interface Certificates {
  /** The authority's certificate. */
  ca: string;
  /** The server's certificate, for localhost and 127.0.0.1. */
  cert: string;
  /** The server's private key. */
  key: string;
}

/** Makes certificates in a folder, with openssl; they are good for a day. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const [ca, caKey] = [`${folder}/ca.pem`, `${folder}/ca.key`];
  const [cert, key, asked] = [`${folder}/server.pem`, `${folder}/server.key`, `${folder}/ask.pem`];
  const extensions = `${folder}/extensions`;
  await Deno.writeTextFile(extensions, "subjectAltName = DNS:localhost, IP:127.0.0.1\n");
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await openssl("req", "-x509", ...newKey, "-keyout", caKey, "-out", ca, "-subj", "/CN=test CA");
  await openssl("req", ...newKey, "-keyout", key, "-out", asked, "-subj", "/CN=localhost");
  const signed = ["-CA", ca, "-CAkey", caKey, "-CAcreateserial", "-extfile", extensions];
  await openssl("x509", "-req", "-in", asked, ...signed, "-days", "1", "-out", cert);
  return { ca, cert, key };
}

async function openssl(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, stdin: "null" }).output();
  if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}
