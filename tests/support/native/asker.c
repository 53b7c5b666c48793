/* A module that asks the host for everything it lends; `execute` says which, and returns what came back. */
#include "meld_module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct meld_instance {
  const meld_host *host;
};

static int is(meld_bytes text, const char *what) {
  return text.len == strlen(what) && memcmp(text.ptr, what, text.len) == 0;
}

static meld_bytes text(const char *of) {
  meld_bytes bytes = {(const uint8_t *)of, strlen(of)};
  return bytes;
}

static void give(meld_owned *out, const void *from, size_t length) {
  out->ptr = malloc(length ? length : 1);
  memcpy(out->ptr, from, length);
  out->len = length;
  out->ctx = out->ptr;
  out->drop = free;
}

static meld_code create(const meld_host *host, meld_bytes config, meld_instance **out, meld_error *error) {
  (void)error;
  host->log(host->ctx, MELD_INFO, config);
  *out = malloc(sizeof **out);
  (*out)->host = host;
  return MELD_OK;
}

static void destroy(meld_instance *self) {
  self->host->log(self->host->ctx, MELD_DEBUG, text("destroyed"));
  free(self);
}

struct list {
  char text[1000];
  size_t length;
};

static void visit(void *visitor, meld_bytes key) {
  struct list *list = visitor;
  memcpy(list->text + list->length, key.ptr, key.len);
  list->length += key.len;
  list->text[list->length++] = ';';
}

static meld_code execute(meld_instance *self, meld_bytes command, meld_bytes payload, meld_owned *out,
                         meld_error *error) {
  const meld_host *host = self->host;
  void *ctx = host->ctx;
  const meld_bus *bus = host->extension(ctx, MELD_BUS_1);
  const meld_jobs *jobs = host->extension(ctx, MELD_JOBS_1);
  const meld_kv *kv = host->extension(ctx, MELD_KV_1);
  const meld_clock *clock = host->extension(ctx, MELD_CLOCK_1);
  meld_code code;
  int32_t found = 0;
  if (is(command, "tables")) {
    char names[32];
    int length = snprintf(names, sizeof names, "%d%d%d%d", !!bus, !!jobs, !!kv, !!clock);
    return give(out, names, (size_t)length), MELD_OK;
  }
  if (is(command, "publish")) return bus->publish(ctx, text("a/topic"), payload, error);
  if (is(command, "send")) return bus->send(ctx, text("other"), text("a/topic"), payload, error);
  if (is(command, "request"))
    return bus->request(ctx, text("other"), text("a/topic"), payload, 1500000000u, out, error);
  if (is(command, "job")) {
    if ((code = jobs->last_checkpoint(ctx, out, &found, error))) return code;
    if (found) return MELD_OK;
    if ((code = jobs->report_progress(ctx, 3, 5000000000u, text("three"), error))) return code;
    if ((code = jobs->log_line(ctx, text("a line"), error))) return code;
    if ((code = jobs->metric(ctx, text("speed"), 0.25, error))) return code;
    if ((code = jobs->is_cancelled(ctx, &found, error))) return code;
    if (found) return MELD_E_CANCELLED;
    return jobs->checkpoint(ctx, payload, error);
  }
  if (is(command, "remember")) {
    if ((code = kv->set(ctx, text("last"), payload, error))) return code;
    if ((code = kv->set(ctx, text("list/a"), payload, error))) return code;
    if ((code = kv->set(ctx, text("list/b"), payload, error))) return code;
    if ((code = kv->remove(ctx, text("list/a"), error))) return code;
    return kv->get(ctx, text("last"), out, &found, error);
  }
  if (is(command, "missing")) {
    if ((code = kv->get(ctx, text("nowhere"), out, &found, error))) return code;
    return found ? MELD_E_FAILED : MELD_OK;
  }
  if (is(command, "keys")) {
    struct list list = {{0}, 0};
    if ((code = kv->keys(ctx, payload, visit, &list, error))) return code;
    return give(out, list.text, list.length), MELD_OK;
  }
  if (is(command, "times")) {
    uint64_t times[2] = {clock->now(ctx), clock->monotonic(ctx)};
    return give(out, times, sizeof times), MELD_OK;
  }
  return MELD_E_UNSUPPORTED;
}

static const meld_module table = {
    MELD_HEAD(meld_module), "asker", "0.1.0", 0, 0, 0, 0, 0, create, destroy, execute, 0, 0, 0, 0,
};

const meld_module *meld_module_entry(uint32_t major, uint32_t minor, const char **why) {
  (void)major, (void)minor, (void)why;
  return &table;
}
