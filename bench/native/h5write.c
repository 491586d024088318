/* Images from a ring in shared memory to HDF5 files, by the HDF5 library: H5Dwrite_chunk, one chunk an
 * image, as the original's writer does it.
 *
 *   h5write <ring file> <image bytes> <slots> <output> [sync] [beside]
 *
 * Rows of 1024 pixels of 16 bit. The library has its newest file format, where a dataset that grows along
 * one dimension has the index that is cheapest to append to; images start at multiples of 4096. Takes the lines
 * that `write` takes; `end` has the index written to the file, and says {"gb_per_s", "beside_ms"}: closing is
 * not in it. `beside_ms` is what is left of the time, with `beside`, without the library's writing of pixels.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Time in writes of pixels: this is what the library calls. */
static int beside;
static double in_pwrite;

ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t at) {
  static ssize_t (*libc)(int, const void *, size_t, off64_t);
  if (libc == NULL) libc = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  if (!beside || bytes < 65536) return libc(fd, from, bytes, at);
  const double start = seconds(CLOCK_THREAD_CPUTIME_ID);
  const ssize_t n = libc(fd, from, bytes, at);
  in_pwrite += seconds(CLOCK_THREAD_CPUTIME_ID) - start;
  return n;
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at) { return pwrite64(fd, from, bytes, at); }

static int has(const char *flag, int argc, char **argv) {
  for (int i = 5; i < argc; i++) if (strcmp(argv[i], flag) == 0) return 1;
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  const size_t bytes = strtoull(argv[2], NULL, 10), slots = (size_t)atoi(argv[3]);
  const char *path = argv[4];
  const int in = open(argv[1], O_RDONLY);
  const uint8_t *ring = mmap(NULL, bytes * slots, PROT_READ, MAP_SHARED | MAP_POPULATE, in, 0);
  if (in < 0 || ring == MAP_FAILED) { perror(argv[1]); return 1; }
  const int sync = has("sync", argc, argv);
  beside = has("beside", argc, argv);
  const clockid_t clock = sync ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;

  const hsize_t rows = bytes / 2048, chunk[3] = {1, rows, 1024}, most[3] = {H5S_UNLIMITED, rows, 1024};
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS), how = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  H5Pset_alignment(access, 65536, 4096);
  H5Pset_chunk(how, 3, chunk);

  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("ready");
  char line[64];
  hid_t file = -1, data = -1;
  hsize_t shape[3] = {0, rows, 1024};
  double took = 0;
  while (fgets(line, sizeof line, stdin) != NULL) {
    const int ends = strncmp(line, "end", 3) == 0;
    if (!ends && file < 0) {
      shape[0] = 0;
      took = in_pwrite = 0;
      file = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, access);
      const hid_t space = H5Screate_simple(3, shape, most);
      data = H5Dcreate2(file, "data", H5T_STD_U16LE, space, H5P_DEFAULT, how, H5P_DEFAULT);
      H5Sclose(space);
      if (file < 0 || data < 0) return 1;
    }
    const double start = seconds(clock);
    if (ends) {
      H5Fflush(file, H5F_SCOPE_LOCAL); /* a file without its index has no images; ours has published them */
      int *fd;
      if (sync && (H5Fget_vfd_handle(file, H5P_DEFAULT, (void **)&fd) < 0 || fdatasync(*fd) != 0)) return 1;
    } else {
      for (const hsize_t last = shape[0] + strtoull(line, NULL, 10); shape[0] < last;) {
        const hsize_t at[3] = {shape[0]++, 0, 0};
        if (H5Dset_extent(data, shape) < 0) return 1;
        if (H5Dwrite_chunk(data, H5P_DEFAULT, 0, at, bytes, ring + (at[0] % slots) * bytes) < 0) return 1;
      }
    }
    took += seconds(clock) - start;
    if (!ends) { puts("{}"); continue; }
    H5Dclose(data);
    H5Fclose(file);
    unlink(path);
    file = -1;
    printf("{\"gb_per_s\":%.4f,\"beside_ms\":%.4f}\n", (double)(bytes * shape[0]) / 1e9 / took,
           (took - in_pwrite) * 1e3);
  }
  return 0;
}
