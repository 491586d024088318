/* The least a receiver can do: a recvmmsg loop that only receives. Nothing is looked at.
 *
 *   receive <port> <payload> <places> <batch> <warm-up> <packets> <ring|small> <shm file>
 *
 * ring:  payloads go to consecutive places of a mapped file of `places` × `payload` bytes, by a
 *        vector that is built once; headers to an array.
 * small: every batch goes to the same `batch` buffers, which stay in the cache.
 *
 * Packets are taken without waiting; after a short batch it sleeps for 100 µs, so that the next call
 * takes many. Prints {"packets", "cpu_us", "calls"}: thread CPU time after the warm-up.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define HEADER 48

static int64_t cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 9) return 2;
  const size_t payload = (size_t)atoi(argv[2]), places = (size_t)atoi(argv[3]), batch = (size_t)atoi(argv[4]);
  const uint64_t warm = strtoull(argv[5], NULL, 10), wanted = strtoull(argv[6], NULL, 10);
  const int small = strcmp(argv[7], "small") == 0;
  const size_t count = small ? batch : places;

  const int shm = open(argv[8], O_RDWR | O_CREAT, 0600);
  if (shm < 0 || ftruncate(shm, (off_t)(count * payload)) != 0) { perror(argv[8]); return 1; }
  uint8_t *ring = mmap(NULL, count * payload, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, shm, 0);
  if (ring == MAP_FAILED) { perror("mmap"); return 1; }
  memset(ring, 0, count * payload);
  uint8_t *headers = calloc(batch, HEADER);
  struct iovec *iov = calloc(2 * count, sizeof *iov);
  struct mmsghdr *messages = calloc(count, sizeof *messages);
  for (size_t i = 0; i < count; i++) {
    iov[2 * i] = (struct iovec){headers + (i % batch) * HEADER, HEADER};
    iov[2 * i + 1] = (struct iovec){ring + i * payload, payload};
    messages[i].msg_hdr.msg_iov = iov + 2 * i;
    messages[i].msg_hdr.msg_iovlen = 2;
  }

  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  int size = 128 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
  if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0) { perror("bind"); return 1; }
  puts("ready");
  fflush(stdout);

  uint64_t received = 0, counted = 0, calls = 0;
  int64_t cpu = 0;
  size_t place = 0;
  double last = seconds();
  while (counted < wanted) {
    const size_t room = count - place < batch ? count - place : batch;
    const int n = recvmmsg(fd, messages + place, (unsigned)room, MSG_DONTWAIT, NULL);
    if (n > 0) {
      place += (size_t)n;
      if (place == count) place = 0;
      received += (uint64_t)n;
      if (cpu == 0 && received >= warm) cpu = cpu_us();
      else if (cpu != 0) { counted += (uint64_t)n; calls++; }
    } else if (errno != EAGAIN && errno != EINTR) { perror("recvmmsg"); return 1; }
    if (n < (int)room) {
      if (n > 0) last = seconds();
      else if (seconds() - last > (received > 0 ? 1 : 10)) break;
      usleep(100);
    }
  }
  printf("{\"packets\":%llu,\"cpu_us\":%lld,\"calls\":%llu}\n", (unsigned long long)counted,
         (long long)(cpu_us() - cpu), (unsigned long long)calls);
  return 0;
}
