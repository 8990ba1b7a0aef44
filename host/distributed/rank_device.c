/* Which device a rank takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "device/device.h"
#include "distributed/communicator.h"

/* A device of a machine; where a rank is on none, platform is -1. */
typedef struct claim {
  char host[128];
  int platform, index;
} claim;

/* Item number of a list with commas. */
static void add_item(gf__text *out, const char *list, int number) {
  int count = 1;
  for (const char *c = list; *c; c++) count += *c == ',';
  for (number %= count; number > 0; number--) list = strchr(list, ',') + 1;
  gf__text_add(out, "%.*s", (int)strcspn(list, ","), list);
}

/* Which of the ranks that claim the same device this one is, and how many there are. */
static void find_place(const claim *all, int rank, int ranks, int *place, int *count) {
  *place = *count = 0;
  for (int r = 0; r < ranks; r++) {
    bool same = !strcmp(all[r].host, all[rank].host) && all[r].platform == all[rank].platform &&
                all[r].index == all[rank].index;
    *place += same && r < rank;
    *count += same;
  }
}

static gf_status open_claimed(gf_device **out, gf_communicator *communicator,
                              const gf_device_info *info, bool whole) {
  gf_rank self = gf_communicator_describe(communicator);
  claim mine = {.platform = info->platform, .index = info->index};
  claim *all = calloc((size_t)self.ranks, sizeof *all);
  int place, count;
  char selector[32];
  if (!all) return gf__fail_host_memory((size_t)self.ranks * sizeof *all);
  snprintf(mine.host, sizeof mine.host, "%s", self.host);
  gf_status status = gf__communicator_gather(communicator, &mine, sizeof mine, all);
  if (status == GF_OK) {
    find_place(all, self.rank, self.ranks, &place, &count);
    snprintf(selector, sizeof selector, "%d:%d", info->platform, info->index);
    status = gf__sub_device_open(out, selector, place, whole ? 1 : count);
  }
  free(all);
  return status;
}

/* Open MPI's mpirun binds each of a few ranks to one core, on which all threads of a CPU device
 * then sit: nothing fails, and everything takes as many times as long as there are cores. */
static void report_binding(const gf_communicator *communicator, const gf_device *device) {
  gf_rank self = gf_communicator_describe(communicator);
  int own = gf__cpu_count(), all = gf__machine_cpu_count();
  bool is_on_cpu = device && gf_device_describe(device)->type == GF_DEVICE_CPU;
  if (!communicator || self.rank > 0 || !is_on_cpu || own >= all) return;
  gf__log(own < all / self.local_ranks ? GF_LOG_WARNING : GF_LOG_INFO,
          "this rank's CPU device has %d of the machine's %d cores, as the launcher has bound the "
          "ranks to cores; mpirun --bind-to none, or srun --cpu-bind=none, binds them to none",
          own, all);
}

gf_status gf_communicator_open_device(gf_device **out, gf_communicator *communicator,
                                      const char *selector, bool whole) {
  gf_rank self = gf_communicator_describe(communicator);
  gf_device_info info = {0};
  gf__text item = {0};
  *out = NULL;
  if (!communicator && !(selector && strchr(selector, ','))) return gf_device_open(out, selector);
  if (selector) add_item(&item, selector, self.rank);
  gf_status status = gf__text_status(&item);
  if (status == GF_OK) status = gf__device_find(item.data, self.local_rank, &info);
  gf__text_free(&item);
  GF_TRY(gf_communicator_agree(communicator, status));
  status = gf_communicator_agree(communicator, open_claimed(out, communicator, &info, whole));
  if (status == GF_OK) report_binding(communicator, *out);
  return status;
}
