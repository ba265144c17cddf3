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

/* --- writing ------------------------------------------------------------------------------------
 */

static void vector_note(struct change *change, const struct vector_write *write)
{
    if (change->vector_count == change->vector_room) {
        change->vector_room = 2 * change->vector_room + MEMORY_ITEMS_MAX;
        change->vectors = mem_resize(change->vectors, change->vector_room, sizeof *change->vectors);
    }
    change->vectors[change->vector_count]        = *write;
    change->vectors[change->vector_count].number = change->vector_count;
    change->vector_count++;
}

void vector_put(struct change *change, Pb__MemoryVersion *version, uint64_t sequence,
                const float *vector)
{
    vector_note(change,
                &(struct vector_write){.version = version, .sequence = sequence, .vector = vector});
}

void vector_delete(struct change *change, Pb__MemoryVersion *version, uint64_t sequence)
{
    if (!version) return;
    vector_note(change, &(struct vector_write){.version = version, .sequence = sequence});
}

/* By row; what was said of one vector in the order it was said. */
static int by_place(const void *left, const void *right)
{
    const struct vector_write *a = left;
    const struct vector_write *b = right;
    if (a->version->id != b->version->id) return a->version->id < b->version->id ? -1 : 1;
    if (a->sequence != b->sequence) return a->sequence < b->sequence ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

static bool is_same_row(const struct vector_write *a, const struct vector_write *b)
{
    unsigned slots = vector_row_slots(a->version->dimensions);
    return a->version == b->version && a->sequence / slots == b->sequence / slots;
}

/* `row` is aligned, and has its vectors. */
static void encode_slot(uint8_t *row, uint32_t dimensions, unsigned slot)
{
    const float *vectors = (const float *)(const void *)(row + VECTOR_ROW_HEAD);
    int8_t *codes        = (int8_t *)(row + codes_at(dimensions)) + (size_t)slot * dimensions;
    const struct vector_code code =
        vector_encode(vectors + (size_t)slot * dimensions, dimensions, codes);
    memcpy(row + marks_at(dimensions) + slot * sizeof code, &code, sizeof code);
}

static void encode_all(uint8_t *row, uint32_t dimensions, uint64_t taken)
{
    for (unsigned slot = 0; slot < vector_row_slots(dimensions); slot++) {
        if (taken >> slot & 1) encode_slot(row, dimensions, slot);
    }
}

/* Says whether anything has changed. */
static bool fill_row(uint8_t *row, uint64_t *taken, const struct vector_write *writes, size_t count)
{
    Pb__MemoryVersion *version = writes->version;
    size_t size                = version->dimensions * sizeof(float);
    bool is_changed            = false;
    for (size_t i = 0; i < count; i++) {
        const float *vector = writes[i].vector;
        unsigned slot  = (unsigned)(writes[i].sequence % vector_row_slots(version->dimensions));
        uint64_t bit   = UINT64_C(1) << slot;
        bool was_there = *taken & bit;
        *taken         = vector ? *taken | bit : *taken & ~bit;
        version->count += vector && !was_there;
        version->count -= !vector && was_there && version->count > 0;
        is_changed = is_changed || vector || was_there;
        if (!vector) continue;
        memcpy(row + VECTOR_ROW_HEAD + slot * size, vector, size);
        encode_slot(row, version->dimensions, slot);
    }
    memcpy(row, taken, sizeof *taken);
    return is_changed;
}

/* The row as it was, with codes; `*ret_taken` is 0 if there was none. */
static status load_row(struct change *change, const struct key *key,
                       const Pb__MemoryVersion *version, uint8_t *row, uint64_t *ret_taken,
                       struct error *reterr)
{
    bytes value = {};
    status code = find_row(change->txn, key, version, &value, reterr);
    if (code == STATUS_NOT_FOUND) return STATUS_OK;
    TRY(code);
    memcpy(row, value.ptr, value.len);
    memcpy(ret_taken, row, sizeof *ret_taken);
    if (value.len < row_size(version->dimensions)) {
        encode_all(row, version->dimensions, *ret_taken);
    }
    return STATUS_OK;
}

/* All of them are of one row. */
static status write_row(struct change *change, uint8_t *row, const struct vector_write *writes,
                        size_t count, struct error *reterr)
{
    struct key key;
    uint64_t taken                   = 0;
    const Pb__MemoryVersion *version = writes->version;
    const bytes whole                = {.ptr = row, .len = row_size(version->dimensions)};
    row_key(&key, change->space->id, version, writes->sequence);
    TRY(load_row(change, &key, version, row, &taken, reterr));
    const bool was_there = taken != 0;
    if (!fill_row(row, &taken, writes, count)) return STATUS_OK;
    if (taken != 0) return txn_put(change->txn, TABLE_VECTORS, key_bytes(&key), whole, reterr);
    if (!was_there) return STATUS_OK;
    return txn_delete(change->txn, TABLE_VECTORS, key_bytes(&key), reterr);
}

status vectors_write(struct change *change, struct error *reterr)
{
    status code = STATUS_OK;
    size_t end  = 0;
    if (change->vector_count == 0) return STATUS_OK;
    qsort(change->vectors, change->vector_count, sizeof *change->vectors, by_place);
    for (size_t i = 0; i < change->vector_count && code == STATUS_OK; i = end) {
        const struct vector_write *first = &change->vectors[i];
        for (end = i; end < change->vector_count; end++) {
            if (!is_same_row(first, &change->vectors[end])) break;
        }
        uint8_t *row = mem_new(row_size(first->version->dimensions), 1);
        code         = write_row(change, row, first, end - i, reterr);
        free(row);
    }
    change->vector_count = 0;
    return code;
}
