/*
 * Preloaded into the demo's and the tests' own pcscd. Debian's vpcd writes the length and the body of a
 * frame apart, so that Nagle's algorithm and delayed acknowledgement cost some 40 ms an APDU; and it
 * listens on every address. Here its sockets get TCP_NODELAY, and the loopback address only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

typedef int (*accept_function)(int, struct sockaddr *, socklen_t *);
typedef int (*bind_function)(int, const struct sockaddr *, socklen_t);

int accept(int listener, struct sockaddr *peer, socklen_t *length) {
  accept_function system_accept = (accept_function)dlsym(RTLD_NEXT, "accept");
  int connection = system_accept(listener, peer, length);
  int on = 1;
  /* Refused, and rightly, on the Unix sockets of pcscd's own clients. */
  if (connection >= 0) setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return connection;
}

int bind(int socket, const struct sockaddr *address, socklen_t length) {
  bind_function system_bind = (bind_function)dlsym(RTLD_NEXT, "bind");
  if (address->sa_family != AF_INET || length < sizeof(struct sockaddr_in)) {
    return system_bind(socket, address, length);
  }
  struct sockaddr_in local = *(const struct sockaddr_in *)address;
  if (local.sin_addr.s_addr == htonl(INADDR_ANY)) local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return system_bind(socket, (const struct sockaddr *)&local, sizeof local);
}
