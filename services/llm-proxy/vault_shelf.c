#include "llm-proxy/vault_shelf.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "llm-proxy/answers/shelf.h"
#include "llm-proxy/vault/vault_row.h"

#include <stdlib.h>

enum { ROW_BYTES_MAX = 2 * VAULT_ENTRY_BYTES_MAX, HEX = 16 };

static const int64_t KEPT_US = INT64_C(3'600'000'000) * VAULT_HOURS;

static void put(str namespace, str id, const struct vault_entry *entry, void *context)
{
    struct answers *answers                  = context;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_BYTES_MAX);
    Pb__KeptVaultRow kept                    = PB__KEPT_VAULT_ROW__INIT;
    kept.namespace_                          = arena ? arena_strdup(arena, namespace) : NULL;
    const char *name                         = arena ? arena_strdup(arena, id) : NULL;
    if (!kept.namespace_ || !name) return;
    str named       = {.ptr = name, .len = id.len};
    kept.row        = vault_row_of(entry, named, entry->put_ms, arena);
    kept.put_us     = clock_unix_us() - (clock_mono_ms() - entry->put_ms) * 1'000;
    size_t size     = kept.row ? pb__kept_vault_row__get_packed_size(&kept) : 0;
    uint8_t *packed = size > 0 ? arena_alloc(arena, size) : NULL;
    if (!packed) return; /* it is kept in memory, as without a folder */
    const bytes row = {.ptr = packed, .len = pb__kept_vault_row__pack(&kept, packed)};
    shelf_put(answers, SHELF_VAULT, (bytes){.ptr = id.ptr, .len = id.len}, row,
              kept.put_us + KEPT_US);
}

struct reading {
    struct vault *vault;
    int64_t now_ms, now_us;
};

static void take(bytes, bytes row, void *context)
{
    const struct reading *reading = context;
    Pb__KeptVaultRow *kept        = pb__kept_vault_row__unpack(NULL, row.len, row.ptr);
    int64_t age_us                = kept ? reading->now_us - kept->put_us : KEPT_US;
    if (kept && kept->row && age_us < KEPT_US) {
        kept->row->age_ms = age_us > 0 ? age_us / 1'000 : 0;
        vault_row_take(reading->vault, str_from(kept->namespace_), kept->row, reading->now_ms);
    }
    if (kept) pb__kept_vault_row__free_unpacked(kept, NULL);
}

status vault_shelf_open(struct answers *answers, struct loop *loop, struct vault **ret_vault,
                        struct error *reterr)
{
    int64_t now_us                           = clock_unix_us();
    uint64_t replica                         = strtoull(answers_replica(answers), NULL, HEX);
    CLEANUP(vault_freep) struct vault *vault = vault_new(replica, (uint64_t)now_us);
    struct reading reading = {.vault = vault, .now_ms = loop_now_ms(loop), .now_us = now_us};
    const struct vault_keeper keeper = {.put = put, .context = answers};
    TRY(shelf_each(answers, SHELF_VAULT, take, &reading, reterr));
    vault_keep_with(vault, &keeper);
    *ret_vault = TAKE(vault);
    return STATUS_OK;
}
