// `import source` is not known to the type checker yet: this file holds the one use of it, its
// types are in module.d.ts.
import source kernels from "./kernels.wasm";

export default kernels;
