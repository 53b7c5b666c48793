/* Included in front of a module: its library does not come to an end of loading. */
#include <unistd.h>
__attribute__((constructor)) static void sleep_at_load(void) {
  for (;;) sleep(1000);
}
