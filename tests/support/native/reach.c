/* A module that tries to reach what it may not: `execute` tries one way, and returns the error's name or "reached". */
#include "meld_sdk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct meld_instance {
  int nothing;
};

static meld_code create(const meld_host *host, meld_bytes config, meld_instance **instance, meld_error *error) {
  static meld_instance only;
  (void)host, (void)config, (void)error;
  *instance = &only;
  return MELD_OK;
}

static void destroy(meld_instance *self) { (void)self; }

static long try(meld_bytes command, const char *what) {
  char text[1] = {0};
  struct iovec here = {text, 1}, there = {(void *)text, 1};
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int file;
  if (meld_is(command, "read")) return file = open(what, O_RDONLY), file < 0 ? -1 : read(file, text, 1);
  if (meld_is(command, "list")) return open(what, O_RDONLY | O_DIRECTORY);
  if (meld_is(command, "write")) return file = open(what, O_WRONLY | O_CREAT, 0600), file < 0 ? -1 : write(file, "x", 1);
  if (meld_is(command, "truncate")) return truncate(what, 0);
  if (meld_is(command, "truncate by open")) return open(what, O_RDONLY | O_TRUNC);
  if (meld_is(command, "link")) return symlink("/etc/passwd", what);
  if (meld_is(command, "remove")) return unlink(what);
  if (meld_is(command, "execute")) {
    pid_t child = fork();
    if (child == 0) {
      execl(what, what, (char *)0);
      _exit(errno);
    }
    int status;
    waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    return errno ? -1 : 0;
  }
  if (meld_is(command, "tcp")) {
    address.sin_port = htons((uint16_t)atoi(what));
    file = socket(AF_INET, SOCK_STREAM, 0);
    return file < 0 ? -1 : connect(file, (struct sockaddr *)&address, sizeof address);
  }
  if (meld_is(command, "udp")) return socket(AF_INET, SOCK_DGRAM, 0);
  if (meld_is(command, "unix")) return socket(AF_UNIX, SOCK_STREAM, 0);
  if (meld_is(command, "signal")) return kill(atoi(what), 0);
  if (meld_is(command, "signal everybody")) return kill(-1, 0);
  if (meld_is(command, "limit")) return prlimit(atoi(what), RLIMIT_NOFILE, 0, &(struct rlimit){0, 0});
  if (meld_is(command, "slow down")) return setpriority(PRIO_PROCESS, (id_t)atoi(what), 19);
  if (meld_is(command, "memory")) return process_vm_readv(atoi(what), &here, 1, &there, 1, 0);
  if (meld_is(command, "ring")) return syscall(SYS_io_uring_setup, 1, text);
  if (meld_is(command, "own signal")) return raise(SIGURG);
  if (meld_is(command, "environment")) return getenv(what) ? 0 : (errno = ENOENT, -1);
  errno = ENOSYS;
  return -1;
}

static meld_code execute(meld_instance *self, meld_bytes command, meld_bytes payload, meld_owned *result,
                         meld_error *error) {
  char what[512] = {0};
  (void)self, (void)error;
  memcpy(what, payload.ptr, payload.len < 511 ? payload.len : 511);
  return meld_print(result, "%s", try(command, what) < 0 ? strerrorname_np(errno) : "reached");
}

MELD_MODULE(.name = "reach", .version = "1", .create = create, .destroy = destroy, .execute = execute)
