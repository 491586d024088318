/** The compiled kernels (`deno task build`). */
declare const kernels: WebAssembly.Module;
export default kernels;
