/* Images from a ring in shared memory to an HDF5 file, by the HDF5 library: H5Dwrite_chunk, one chunk an
 * image, as the original's writer does it.
 *
 *   h5write <ring file> <image bytes> <slots> <images> <output> [sync]
 *
 * Rows of 1024 pixels of 16 bit. The library has its newest file format, where a dataset that grows along
 * one dimension has the index that is cheapest to append to; images start at multiples of 4096. Prints
 * {"gb_per_s", "close_ms"}: per second of CPU time, or of the clock on the wall with `sync`; the index is
 * in the file by then, closing is not in it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <hdf5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  const size_t bytes = strtoull(argv[2], NULL, 10), slots = (size_t)atoi(argv[3]), images = (size_t)atoi(argv[4]);
  const int in = open(argv[1], O_RDONLY);
  const uint8_t *ring = mmap(NULL, bytes * slots, PROT_READ, MAP_SHARED | MAP_POPULATE, in, 0);
  if (in < 0 || ring == MAP_FAILED) { perror(argv[1]); return 1; }

  const hsize_t rows = bytes / 2048;
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  H5Pset_alignment(access, 65536, 4096);
  const hid_t file = H5Fcreate(argv[5], H5F_ACC_EXCL, H5P_DEFAULT, access);
  hsize_t shape[3] = {0, rows, 1024};
  const hsize_t most[3] = {H5S_UNLIMITED, rows, 1024}, chunk[3] = {1, rows, 1024};
  const hid_t space = H5Screate_simple(3, shape, most);
  const hid_t how = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(how, 3, chunk);
  const hid_t data = H5Dcreate2(file, "data", H5T_STD_U16LE, space, H5P_DEFAULT, how, H5P_DEFAULT);
  if (file < 0 || data < 0) return 1;

  const int sync = argc > 6;
  const clockid_t clock = sync ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
  const double start = seconds(clock);
  for (size_t i = 0; i < images; i++) {
    shape[0] = i + 1;
    const hsize_t at[3] = {i, 0, 0};
    if (H5Dset_extent(data, shape) < 0) return 1;
    if (H5Dwrite_chunk(data, H5P_DEFAULT, 0, at, bytes, ring + (i % slots) * bytes) < 0) return 1;
  }
  H5Fflush(file, H5F_SCOPE_LOCAL); /* a file without its index has no images; ours has published them */
  if (sync) {
    int *fd;
    if (H5Fget_vfd_handle(file, H5P_DEFAULT, (void **)&fd) < 0) return 1;
    fdatasync(*fd);
  }
  const double took = seconds(clock) - start, end = seconds(CLOCK_MONOTONIC);
  H5Dclose(data);
  H5Fclose(file);
  printf("{\"gb_per_s\":%.4f,\"close_ms\":%.3f}\n", (double)(bytes * images) / 1e9 / took,
         (seconds(CLOCK_MONOTONIC) - end) * 1e3);
  unlink(argv[5]);
  return 0;
}
