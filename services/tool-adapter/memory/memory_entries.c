/* Entries: a key, what it says, and their rows. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tool-adapter/memory/vector_rows.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { KEY_ROW_SIZE = 8 + SHA256_SIZE };

status memory_key_row(struct txn *txn, uint32_t space, str name, struct key_row *ret_row)
{
    struct key key;
    bytes value = {};
    memory_put_key(&key, space, name);
    TRY(txn_get(txn, TABLE_KEYS, key_bytes(&key), &value, NULL));
    if (value.len != KEY_ROW_SIZE) return STATUS_DATA_LOSS;
    ret_row->sequence = u64_from(value.ptr);
    memcpy(ret_row->hash, (const uint8_t *)value.ptr + 8, SHA256_SIZE);
    return STATUS_OK;
}

status memory_put_key_row(struct txn *txn, uint32_t space, str name, const struct key_row *row,
                          struct error *reterr)
{
    struct key key;
    uint8_t value[KEY_ROW_SIZE];
    struct key_u64 sequence = key_of_u64(row->sequence);
    memcpy(value, sequence.data, sizeof sequence.data);
    memcpy(value + sizeof sequence.data, row->hash, SHA256_SIZE);
    memory_put_key(&key, space, name);
    return txn_put(txn, TABLE_KEYS, key_bytes(&key), (bytes){.ptr = value, .len = sizeof value},
                   reterr);
}

static status copy(struct arena *arena, const void *data, size_t size, str *ret_copy,
                   struct error *reterr)
{
    char *text = arena_alloc(arena, size + 1);
    if (!text) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
    if (size > 0) memcpy(text, data, size);
    *ret_copy = (str){.ptr = text, .len = size};
    return STATUS_OK;
}

static status copy_entry(const Pb__MemoryEntry *row, struct arena *arena,
                         struct memory_entry *entry, struct error *reterr)
{
    entry->created_us = row->created_us;
    entry->updated_us = row->updated_us;
    TRY(copy(arena, row->key, strlen(row->key), &entry->key, reterr));
    TRY(copy(arena, row->subject, strlen(row->subject), &entry->subject, reterr));
    return copy(arena, row->metadata_json.data, row->metadata_json.len, &entry->metadata, reterr);
}

status memory_entry_read(struct txn *txn, uint32_t space, uint64_t sequence, bool with_content,
                         struct arena *arena, struct memory_entry *ret_entry, struct error *reterr)
{
    struct key key;
    bytes value = {};
    memory_entry_key(&key, space, sequence);
    TRY(txn_get(txn, TABLE_ENTRIES, key_bytes(&key), &value, reterr));
    Pb__MemoryEntry *row = pb__memory_entry__unpack(NULL, value.len, value.ptr);
    if (!row) return fail(reterr, STATUS_DATA_LOSS, "a row of the memory cannot be read");
    *ret_entry  = (struct memory_entry){.sequence = sequence};
    status code = copy_entry(row, arena, ret_entry, reterr);
    pb__memory_entry__free_unpacked(row, NULL);
    if (code != STATUS_OK || !with_content) return code;
    TRY(txn_get(txn, TABLE_TEXTS, key_bytes(&key), &value, reterr));
    return copy(arena, value.ptr, value.len, &ret_entry->content, reterr);
}

static status delete_if(struct txn *txn, unsigned table, const struct key *key,
                        struct error *reterr)
{
    status code = txn_delete(txn, table, key_bytes(key), reterr);
    return code == STATUS_NOT_FOUND ? STATUS_OK : code;
}

status memory_entry_delete(struct change *change, str name, uint64_t sequence, struct error *reterr)
{
    struct key key;
    Pb__MemorySpace *space = change->space;
    vector_delete(change, space->current, sequence);
    vector_delete(change, space->next, sequence);
    memory_entry_key(&key, space->id, sequence);
    TRY(delete_if(change->txn, TABLE_TEXTS, &key, reterr));
    TRY(delete_if(change->txn, TABLE_ENTRIES, &key, reterr));
    memory_put_key(&key, space->id, name);
    TRY(txn_delete(change->txn, TABLE_KEYS, key_bytes(&key), reterr));
    if (space->count > 0) space->count--;
    return STATUS_OK;
}

status memory_check_until(const struct memory_until *until, const char *what, struct error *reterr)
{
    if (atomic_load(until->is_cancelled)) return fail(reterr, STATUS_CANCELLED, "cancelled");
    if (clock_mono_ms() < until->deadline_ms) return STATUS_OK;
    return fail(reterr, STATUS_DEADLINE_EXCEEDED,
                "%s took too long; of namespaces with very many entries see the adapter qdrant",
                what);
}

/* --- filters ------------------------------------------------------------------------------------
 */

/* Whether it is a number, as documents.split writes them, and not below `min`. */
static bool is_at_least(str number, uint64_t min)
{
    uint64_t value = 0;
    for (size_t i = 0; i < number.len; i++) {
        char digit = number.ptr[i];
        if (digit < '0' || digit > '9' || (value == 0 && i > 0)) return false;
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(digit - '0'), &value)) return false;
    }
    return number.len > 0 && value >= min;
}

bool memory_key_matches(const struct memory_filter *filter, str name)
{
    str document = filter->document;
    if (!str_starts_with(name, filter->prefix)) return false;
    if (document.len == 0) return true;
    if (str_equal(name, document)) return !filter->chunks_only;
    if (!str_starts_with(name, document) || name.ptr[document.len] != '#') return false;
    str number = str_slice(name, document.len + 1, name.len);
    return !filter->chunks_only || is_at_least(number, filter->chunk_min);
}

static bool metadata_matches(json wanted, str metadata)
{
    CLEANUP(json_unrefp) json given = json_invalid();
    if (json_count(wanted) == 0) return true;
    if (metadata.len == 0) return false;
    if (json_parse(metadata, NULL, &given, NULL, NULL) != STATUS_OK) return false;
    for (size_t i = 0; i < json_count(wanted); i++) {
        json value = json_get(given, json_key_at(wanted, i));
        if (json_is(value, JSON_INVALID) || !json_equal(value, json_value_at(wanted, i))) {
            return false;
        }
    }
    return true;
}

bool memory_filter_matches(const struct memory_filter *filter, const struct memory_entry *entry)
{
    if (!memory_key_matches(filter, entry->key)) return false;
    if (filter->subject.len > 0 && !str_equal(filter->subject, entry->subject)) return false;
    if (!json_is(filter->metadata, JSON_OBJECT)) return true;
    return metadata_matches(filter->metadata, entry->metadata);
}
