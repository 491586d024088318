/**
 * Linux through libc: the only folder (with `lib/zmq`) that uses FFI.
 *
 * @module
 */
export * from "./address.ts";
export * from "./clock.ts";
export * from "./errno.ts";
export * from "./file.ts";
export * from "./file_user.ts";
export * from "./lock_file.ts";
export * from "./memory.ts";
export * from "./message_layout.ts";
export * from "./new_file.ts";
export * from "./pin_library.ts";
export * from "./platform.ts";
export * from "./poll.ts";
export * from "./process.ts";
export * from "./socket.ts";
export * from "./unix_socket.ts";
export * from "./whole_file.ts";
