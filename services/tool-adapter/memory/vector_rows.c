#include "tool-adapter/memory/vector_rows.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

unsigned vector_row_slots(uint32_t dimensions)
{
    unsigned slots = VECTOR_ROW_SLOTS;
    while (slots > 1 && slots * dimensions * sizeof(float) > VECTOR_ROW_SIZE) slots /= 2;
    return slots;
}

static size_t marks_at(uint32_t dimensions)
{
    return VECTOR_ROW_HEAD + vector_row_slots(dimensions) * dimensions * sizeof(float);
}

static size_t codes_at(uint32_t dimensions)
{
    return marks_at(dimensions) + vector_row_slots(dimensions) * sizeof(struct vector_code);
}

static size_t row_size(uint32_t dimensions)
{
    return codes_at(dimensions) + (size_t)vector_row_slots(dimensions) * dimensions;
}

static void row_key(struct key *key, uint32_t space, const Pb__MemoryVersion *version,
                    uint64_t sequence)
{
    memory_vector_key(key, space, version->id, sequence / vector_row_slots(version->dimensions));
}

status vector_row_read(uint32_t dimensions, bytes key, bytes value, struct vector_row *ret_row,
                       struct error *reterr)
{
    bool has_codes    = value.len == row_size(dimensions);
    const uint8_t *at = value.ptr;
    if ((!has_codes && value.len != marks_at(dimensions)) || key.len != 16) {
        return fail(reterr, STATUS_DATA_LOSS, "a row of vectors has another length");
    }
    memcpy(&ret_row->taken, at, sizeof ret_row->taken);
    ret_row->first = u64_from((const uint8_t *)key.ptr + 8) * vector_row_slots(dimensions);
    ret_row->slots = at + VECTOR_ROW_HEAD;
    ret_row->marks = has_codes ? at + marks_at(dimensions) : NULL;
    ret_row->codes = has_codes ? (const int8_t *)(at + codes_at(dimensions)) : NULL;
    return STATUS_OK;
}

struct vector_code vector_row_code(const struct vector_row *row, unsigned slot)
{
    struct vector_code code;
    memcpy(&code, (const uint8_t *)row->marks + slot * sizeof code, sizeof code);
    return code;
}

static status find_row(struct txn *txn, const struct key *key, const Pb__MemoryVersion *version,
                       bytes *ret_value, struct error *reterr)
{
    struct vector_row row = {};
    TRY(txn_get(txn, TABLE_VECTORS, key_bytes(key), ret_value, reterr));
    return vector_row_read(version->dimensions, key_bytes(key), *ret_value, &row, reterr);
}

const void *vector_find(struct txn *txn, uint32_t space, const Pb__MemoryVersion *version,
                        uint64_t sequence)
{
    struct key key;
    bytes value    = {};
    uint64_t taken = 0;
    if (!version) return NULL;
    row_key(&key, space, version, sequence);
    if (find_row(txn, &key, version, &value, NULL) != STATUS_OK) return NULL;
    memcpy(&taken, value.ptr, sizeof taken);
    unsigned slot = (unsigned)(sequence % vector_row_slots(version->dimensions));
    if (!(taken >> slot & 1)) return NULL;
    return (const uint8_t *)value.ptr + VECTOR_ROW_HEAD +
           slot * version->dimensions * sizeof(float);
}

/* `row` is as it will be written, with its vectors. */
static void encode_slot(uint8_t *row, uint32_t dimensions, unsigned slot)
{
    float *vector   = mem_new(dimensions, sizeof *vector); /* a row may lie askew */
    int8_t *codes   = (int8_t *)(row + codes_at(dimensions)) + (size_t)slot * dimensions;
    size_t size     = dimensions * sizeof *vector;
    uint8_t *places = row + marks_at(dimensions);
    memcpy(vector, row + VECTOR_ROW_HEAD + slot * size, size);
    const struct vector_code code = vector_encode(vector, dimensions, codes);
    memcpy(places + slot * sizeof code, &code, sizeof code);
    free(vector);
}

static void encode_all(uint8_t *row, uint32_t dimensions, uint64_t taken)
{
    for (unsigned slot = 0; slot < vector_row_slots(dimensions); slot++) {
        if (taken >> slot & 1) encode_slot(row, dimensions, slot);
    }
}

/* Puts or takes away; the row is written as a whole. */
static status change_row(struct change *change, Pb__MemoryVersion *version, uint64_t sequence,
                         const float *vector, struct error *reterr)
{
    struct key key;
    bytes value    = {};
    uint64_t taken = 0;
    size_t size    = row_size(version->dimensions);
    unsigned slot  = (unsigned)(sequence % vector_row_slots(version->dimensions));
    uint64_t bit   = UINT64_C(1) << slot;
    row_key(&key, change->space->id, version, sequence);
    status code = find_row(change->txn, &key, version, &value, reterr);
    if (code != STATUS_OK && code != STATUS_NOT_FOUND) return code;
    if (code == STATUS_OK) memcpy(&taken, value.ptr, sizeof taken);
    bool was_there = taken & bit;
    if (!vector && !was_there) return STATUS_OK;
    taken = vector ? taken | bit : taken & ~bit;
    version->count += vector && !was_there;
    version->count -= !vector && version->count > 0;
    if (taken == 0) return txn_delete(change->txn, TABLE_VECTORS, key_bytes(&key), reterr);

    CLEANUP(buf_done) struct buf row = buf_init(size);
    uint8_t *place                   = (uint8_t *)buf_reserve(&row, size);
    memset(place, 0, size);
    if (code == STATUS_OK) memcpy(place, value.ptr, value.len);
    if (code == STATUS_OK && value.len < size) encode_all(place, version->dimensions, taken & ~bit);
    memcpy(place, &taken, sizeof taken);
    size_t vector_size = version->dimensions * sizeof *vector;
    if (vector) {
        memcpy(place + VECTOR_ROW_HEAD + slot * vector_size, vector, vector_size);
        encode_slot(place, version->dimensions, slot);
    }
    return txn_put(change->txn, TABLE_VECTORS, key_bytes(&key), (bytes){.ptr = place, .len = size},
                   reterr);
}

status vector_put(struct change *change, Pb__MemoryVersion *version, uint64_t sequence,
                  const float *vector, struct error *reterr)
{
    return change_row(change, version, sequence, vector, reterr);
}

status vector_delete(struct change *change, Pb__MemoryVersion *version, uint64_t sequence,
                     struct error *reterr)
{
    if (!version) return STATUS_OK;
    return change_row(change, version, sequence, NULL, reterr);
}
