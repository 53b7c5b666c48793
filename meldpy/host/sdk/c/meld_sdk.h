/* meld_sdk.h: short ways to write a native module in C99. Header only; nothing of it is needed, all of it is inline.
 *
 * A module defines `struct meld_instance` as it likes, writes the functions of meld_module, and ends with
 *
 *   MELD_MODULE(.name = "tally", .version = "0.1.0", .create = create, .destroy = destroy, .execute = execute)
 *
 * See examples/tally.c. What meld_module.h says of ownership and threads holds here, too.
 */
#ifndef MELD_SDK_H
#define MELD_SDK_H

#include "meld_module.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define MELD_FORMAT(text, first) __attribute__((format(printf, text, first), unused))
#define MELD_UNUSED __attribute__((unused))
#else
#define MELD_FORMAT(text, first)
#define MELD_UNUSED
#endif

/* Whether borrowed text is this one. */
MELD_UNUSED static inline int meld_is(meld_bytes text, const char *what) {
  return text.len == strlen(what) && (text.len == 0 || memcmp(text.ptr, what, (size_t)text.len) == 0);
}

/* A C string as bytes to lend to the host. */
MELD_UNUSED static inline meld_bytes meld_text(const char *text) {
  meld_bytes bytes = {(const uint8_t *)text, strlen(text)};
  return bytes;
}

/* Writes a text for the error, and returns the code: `return meld_fail(error, MELD_E_ARGUMENT, "no %s", what);` */
MELD_FORMAT(3, 4) static inline meld_code meld_fail(meld_error *error, meld_code code, const char *format, ...) {
  va_list values;
  int length;
  if (error == NULL || error->text == NULL || error->capacity == 0) return code;
  va_start(values, format);
  length = vsnprintf(error->text, error->capacity, format, values);
  va_end(values);
  if (length < 0) length = 0;
  error->length = (uint32_t)length < error->capacity ? (uint32_t)length : error->capacity - 1;
  return code;
}

/* Room for a result of `length` bytes, which the receiver will free; null if there is no memory. */
MELD_UNUSED static inline uint8_t *meld_room(meld_owned *out, size_t length) {
  out->ptr = (uint8_t *)malloc(length ? length : 1);
  out->len = out->ptr ? length : 0;
  out->ctx = out->ptr;
  out->drop = out->ptr ? free : NULL;
  return out->ptr;
}

/* A copy of bytes as a result. */
MELD_UNUSED static inline meld_code meld_give(meld_owned *out, const void *bytes, size_t length) {
  if (meld_room(out, length) == NULL) return MELD_E_FAILED;
  if (length) memcpy(out->ptr, bytes, length);
  return MELD_OK;
}

/* Text as a result, made as printf does. */
MELD_FORMAT(2, 3) static inline meld_code meld_print(meld_owned *out, const char *format, ...) {
  va_list values;
  int length;
  va_start(values, format);
  length = vsnprintf(NULL, 0, format, values);
  va_end(values);
  if (length < 0 || meld_room(out, (size_t)length + 1) == NULL) return MELD_E_FAILED;
  va_start(values, format);
  vsnprintf((char *)out->ptr, (size_t)length + 1, format, values);
  va_end(values);
  out->len = (uint64_t)length;
  return MELD_OK;
}

/* What was received as owned, when done with it; safe to call again. */
MELD_UNUSED static inline void meld_drop(meld_owned *owned) {
  if (owned->drop) owned->drop(owned->ctx);
  memset(owned, 0, sizeof *owned);
}

/* One line of the log, made as printf does; cut after 1023 bytes. [any thread] */
MELD_FORMAT(3, 4) static inline void meld_log(const meld_host *host, meld_level level, const char *format, ...) {
  char line[1024];
  va_list values;
  va_start(values, format);
  vsnprintf(line, sizeof line, format, values);
  va_end(values);
  host->log(host->ctx, level, meld_text(line));
}

/* The host's tables; null: not granted, or unknown to this host. */
#define MELD_LENT(name, type, id)                                                                                  \
  MELD_UNUSED static inline const type *name(const meld_host *host) {                                              \
    const type *table = (const type *)host->extension(host->ctx, id);                                              \
    return table && table->head.magic == MELD_MAGIC && table->head.size >= sizeof(type) ? table : NULL;            \
  }
MELD_LENT(meld_bus_of, meld_bus, MELD_BUS_1)
MELD_LENT(meld_jobs_of, meld_jobs, MELD_JOBS_1)
MELD_LENT(meld_kv_of, meld_kv, MELD_KV_1)
MELD_LENT(meld_clock_of, meld_clock, MELD_CLOCK_1)

/* The module's table and its one symbol. The fields are those of meld_module; what is left out is null. */
#define MELD_MODULE(...)                                                                                           \
  static const meld_module meld_module_table = {                                                                   \
      .head = MELD_HEAD(meld_module), .built_with = "C with meld_sdk.h, " __VERSION__, __VA_ARGS__};               \
  MELD_EXPORT const meld_module *meld_module_entry(uint32_t major, uint32_t minor, const char **why) {             \
    (void)minor; /* of one major version every minor is served: what is newer is asked for */                      \
    if (major == MELD_ABI_MAJOR) return &meld_module_table;                                                        \
    *why = "this module was built with version 1 of meld_module.h";                                                \
    return NULL;                                                                                                   \
  }

#endif
