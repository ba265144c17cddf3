#include "scheduler/run/wire.h"

#include "base/assert.h"
#include "base/id.h"
#include "json/json_text.h"

enum {
    TYPE_VARINT = 0,
    TYPE_BYTES  = 2,
    TYPE_BITS   = 3,
    VARINT_MAX  = 10, /* bytes */
    FIELD_MAX   = 1 << 16,
    REF_PAYLOAD = 1, /* fields of PayloadRef */
    REF_HASH    = 2,
    DEPTH_MAX   = 20'000, /* of a value: more than an expression can build */
    VALUES_MAX  = 1 << 24,
    ENUM_MAX    = 255,
};

/* --- writing -----------------------------------------------------------------------------------
 */

void wire_writer_init(struct wire_writer *writer, struct payload_index *index,
                      const struct payload_store *payloads, struct buf *out)
{
    *writer = (struct wire_writer){
        .out      = out,
        .text     = buf_init(PAYLOAD_MAX),
        .index    = index,
        .payloads = payloads,
    };
}

void wire_writer_done(struct wire_writer *writer)
{
    buf_done(&writer->text);
}

static inline size_t varint_encode(uint64_t value, char bytes_out[static VARINT_MAX])
{
    size_t length = 0;
    while (value >= 0x80) {
        bytes_out[length++] = (char)(uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes_out[length++] = (char)(uint8_t)value;
    return length;
}

/* A tag and a number, and room for `more` bytes behind them, where they are returned. NULL: the
 * buffer is full, which is seen at the end. */
static inline char *put_field(struct wire_writer *writer, uint64_t tag, uint64_t value, size_t more)
{
    char *start = buf_reserve(writer->out, 2 * VARINT_MAX + more);
    if (!start) return NULL;
    char *at = start + varint_encode(tag, start);
    at += varint_encode(value, at);
    buf_commit(writer->out, (size_t)(at - start) + more);
    return at;
}

void wire_put_uint(struct wire_writer *writer, uint32_t number, uint64_t value)
{
    (void)put_field(writer, (uint64_t)number << TYPE_BITS | TYPE_VARINT, value, 0);
}

void wire_put_bytes(struct wire_writer *writer, uint32_t number, str data)
{
    uint64_t tag = (uint64_t)number << TYPE_BITS | TYPE_BYTES;
    char *at     = put_field(writer, tag, data.len, data.len);
    if (at && data.len > 0) memcpy(at, data.ptr, data.len);
}

void wire_put_ref(struct wire_writer *writer, uint32_t number, uint64_t payload,
                  const uint8_t hash[static PAYLOAD_HASH_SIZE])
{
    char raw[2 * VARINT_MAX + 2 + PAYLOAD_HASH_SIZE];
    size_t length = varint_encode((uint64_t)REF_PAYLOAD << TYPE_BITS | TYPE_VARINT, raw);
    length += varint_encode(payload, raw + length);
    length += varint_encode((uint64_t)REF_HASH << TYPE_BITS | TYPE_BYTES, raw + length);
    length += varint_encode(PAYLOAD_HASH_SIZE, raw + length);
    memcpy(raw + length, hash, PAYLOAD_HASH_SIZE);
    wire_put_bytes(writer, number, (str){raw, length + PAYLOAD_HASH_SIZE});
}

static status put_value(struct wire_writer *writer, const struct wire_field *field, json value,
                        struct error *reterr)
{
    buf_clear(&writer->text);
    if (!json_print(value, JSON_COMPACT, &writer->text)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a value of over %d bytes", PAYLOAD_MAX);
    }
    str text = buf_str(&writer->text);
    if (text.len <= PAYLOAD_INLINE_MAX || field->kind == WIRE_INLINE || writer->is_inline) {
        wire_put_bytes(writer, field->number, text);
        return STATUS_OK;
    }
    uint8_t hash[PAYLOAD_HASH_SIZE];
    payload_hash(text, hash);
    uint64_t payload = payload_find(writer->index, hash);
    if (payload == 0) {
        TRY(writer->payloads->store(text, &payload, writer->payloads->context, reterr));
        payload_add(writer->index, hash, payload);
    }
    if (field->number == writer->payload_of) writer->payload = payload;
    wire_put_ref(writer, field->number + WIRE_PAYLOAD_FIELD, payload, hash);
    return STATUS_OK;
}

static void put_id(struct wire_writer *writer, uint32_t number, const struct id *id)
{
    uint8_t packed[ID_BYTES];
    id_pack(str_from(id->text), packed);
    bool is_short  = writer->id_base && memcmp(packed, writer->id_base, WIRE_ID_BASE) == 0;
    size_t skipped = is_short ? WIRE_ID_BASE : 0;
    wire_put_bytes(writer, number, (str){(const char *)packed + skipped, ID_BYTES - skipped});
}

/* The number in a field of the kinds that are numbers. */
static inline uint64_t number_of(const struct wire_field *field, const void *place)
{
    switch (field->kind) {
    case WIRE_BOOL: return *(const bool *)place;
    case WIRE_U8: return *(const uint8_t *)place;
    case WIRE_U32: return *(const uint32_t *)place;
    case WIRE_SLOT: return (uint32_t)(*(const uint32_t *)place + 1);
    case WIRE_ENUM: return *(const unsigned *)place;
    case WIRE_U64: return *(const uint64_t *)place;
    case WIRE_I64: return (uint64_t) * (const int64_t *)place;
    case WIRE_ID:
    case WIRE_VALUE:
    case WIRE_INLINE: break;
    }
    return 0;
}

status wire_put(struct wire_writer *writer, const struct wire_table *table, const void *object,
                struct error *reterr)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct wire_field *field = &table->fields[i];
        const void *place              = (const char *)object + field->offset;
        if (field->kind < WIRE_ID) { /* most of them, and most of those are 0 */
            uint64_t number = number_of(field, place);
            if (number != 0) wire_put_uint(writer, field->number, number);
        } else if (field->kind == WIRE_ID) {
            const struct id *id = place;
            if (id->text[0]) put_id(writer, field->number, id);
        } else {
            json value = *(const json *)place;
            if (value.kind != JSON_INVALID) TRY(put_value(writer, field, value, reterr));
        }
    }
    return STATUS_OK;
}

status wire_put_message(struct wire_writer *writer, uint32_t number, const struct wire_table *table,
                        const void *object, struct buf *scratch, struct error *reterr)
{
    struct buf *out = writer->out;
    buf_clear(scratch);
    writer->out = scratch;
    status code = wire_put(writer, table, object, reterr);
    writer->out = out;
    TRY(code);
    if (scratch->is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a message is too long");
    wire_put_bytes(writer, number, buf_str(scratch));
    return STATUS_OK;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static status broken(struct error *reterr, const char *what)
{
    return fail(reterr, STATUS_DATA_LOSS, "damaged entry: %s", what);
}

static status read_varint(struct wire_reader *reader, uint64_t *ret_value, struct error *reterr)
{
    uint64_t value = 0;
    for (size_t i = 0; i < reader->rest.len && i < VARINT_MAX; i++) {
        uint8_t byte = (uint8_t)reader->rest.ptr[i];
        if (i == VARINT_MAX - 1 && byte > 1) break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            reader->rest = str_slice(reader->rest, i + 1, reader->rest.len);
            *ret_value   = value;
            return STATUS_OK;
        }
    }
    return broken(reterr, "a number ends nowhere");
}

status wire_next(struct wire_reader *reader, bool *ret_more, struct error *reterr)
{
    *ret_more = reader->rest.len > 0;
    if (!*ret_more) return STATUS_OK;
    uint64_t tag = 0;
    TRY(read_varint(reader, &tag, reterr));
    if (tag >> TYPE_BITS == 0 || tag >> TYPE_BITS > FIELD_MAX) {
        return broken(reterr, "field number");
    }
    reader->number   = (uint32_t)(tag >> TYPE_BITS);
    uint64_t type    = tag & ((1 << TYPE_BITS) - 1);
    reader->is_bytes = type == TYPE_BYTES;
    if (type != TYPE_BYTES && type != TYPE_VARINT) return broken(reterr, "field type");
    TRY(read_varint(reader, &reader->value, reterr));
    if (!reader->is_bytes) return STATUS_OK;
    if (reader->value > reader->rest.len) return broken(reterr, "a field ends nowhere");
    reader->data = str_slice(reader->rest, 0, reader->value);
    reader->rest = str_slice(reader->rest, reader->value, reader->rest.len);
    return STATUS_OK;
}

status wire_look_at_ref(const struct wire_reader *reader, uint64_t *ret_payload, str *ret_hash,
                        struct error *reterr)
{
    if (!reader->is_bytes) return broken(reterr, "no payload reference");
    struct wire_reader ref = {.rest = reader->data};
    uint64_t payload       = 0;
    str hash               = {};
    for (bool more = true;;) {
        TRY(wire_next(&ref, &more, reterr));
        if (!more) break;
        if (ref.number == REF_PAYLOAD && !ref.is_bytes) payload = ref.value;
        if (ref.number == REF_HASH && ref.is_bytes) hash = ref.data;
    }
    if (payload == 0 || hash.len != PAYLOAD_HASH_SIZE) return broken(reterr, "payload reference");
    *ret_payload = payload;
    *ret_hash    = hash;
    return STATUS_OK;
}

status wire_read_ref(struct wire_reader *reader, uint64_t *ret_payload, struct error *reterr)
{
    str hash = {};
    TRY(wire_look_at_ref(reader, ret_payload, &hash, reterr));
    payload_add(reader->index, (const uint8_t *)hash.ptr, *ret_payload);
    return STATUS_OK;
}

static status take_value(struct wire_reader *reader, bool is_ref, json *place, struct error *reterr)
{
    str text = reader->data;
    if (is_ref) {
        uint64_t payload = 0;
        TRY(wire_read_ref(reader, &payload, reterr));
        TRY(reader->payloads->load(payload, &text, reader->payloads->context, reterr));
    } else if (!reader->is_bytes) {
        return broken(reterr, "a value is no text");
    }
    static const struct json_limits limits = {.depth_max = DEPTH_MAX, .values_max = VALUES_MAX};
    json value                             = json_invalid();
    if (json_parse(text, &limits, &value, NULL, NULL) != STATUS_OK) {
        return broken(reterr, "a value is no JSON");
    }
    json_unref(*place);
    *place = value;
    return STATUS_OK;
}

static status take_id(const struct wire_reader *reader, struct id *place, struct error *reterr)
{
    uint8_t packed[ID_BYTES];
    size_t missing = reader->id_base ? ID_BYTES - reader->data.len : 0;
    bool is_id     = reader->is_bytes && reader->data.len + missing == ID_BYTES &&
                 (missing == 0 || missing == WIRE_ID_BASE);
    if (!is_id) return broken(reterr, "id");
    if (missing > 0) memcpy(packed, reader->id_base, WIRE_ID_BASE);
    memcpy(packed + missing, reader->data.ptr, reader->data.len);
    *place = id_unpack(packed);
    return STATUS_OK;
}

static status take_number(const struct wire_reader *reader, const struct wire_field *field,
                          void *place, struct error *reterr)
{
    uint64_t value = reader->value;
    uint64_t max   = UINT64_MAX;
    if (field->kind == WIRE_BOOL) max = 1;
    if (field->kind == WIRE_U8 || field->kind == WIRE_ENUM) max = ENUM_MAX;
    if (field->kind == WIRE_U32 || field->kind == WIRE_SLOT) max = UINT32_MAX;
    if (reader->is_bytes || value > max) return broken(reterr, "a number is too large");
    switch (field->kind) {
    case WIRE_BOOL: *(bool *)place = value; break;
    case WIRE_U8: *(uint8_t *)place = (uint8_t)value; break;
    case WIRE_U32: *(uint32_t *)place = (uint32_t)value; break;
    case WIRE_SLOT: *(uint32_t *)place = (uint32_t)value - 1; break;
    case WIRE_ENUM: *(unsigned *)place = (unsigned)value; break;
    case WIRE_U64: *(uint64_t *)place = value; break;
    case WIRE_I64: *(int64_t *)place = (int64_t)value; break;
    case WIRE_ID:
    case WIRE_VALUE:
    case WIRE_INLINE: break;
    }
    return STATUS_OK;
}

status wire_take(struct wire_reader *reader, const struct wire_table *table, void *object,
                 bool *ret_known, struct error *reterr)
{
    *ret_known = false;
    for (size_t i = 0; i < table->count; i++) {
        const struct wire_field *field = &table->fields[i];
        void *place                    = (char *)object + field->offset;
        bool is_value                  = field->kind == WIRE_VALUE || field->kind == WIRE_INLINE;
        bool is_ref =
            field->kind == WIRE_VALUE && reader->number == field->number + WIRE_PAYLOAD_FIELD;
        if (reader->number != field->number && !is_ref) continue;
        *ret_known = true;
        if (is_value) return take_value(reader, is_ref, place, reterr);
        if (field->kind == WIRE_ID) return take_id(reader, place, reterr);
        return take_number(reader, field, place, reterr);
    }
    return STATUS_OK;
}

status wire_read(str message, const struct wire_reader *outer, const struct wire_table *table,
                 void *object, struct error *reterr)
{
    struct wire_reader reader = {
        .rest     = message,
        .index    = outer->index,
        .payloads = outer->payloads,
        .id_base  = outer->id_base,
    };
    for (;;) {
        bool more = false, known = false;
        TRY(wire_next(&reader, &more, reterr));
        if (!more) return STATUS_OK;
        TRY(wire_take(&reader, table, object, &known, reterr));
        if (!known) {
            return broken(reterr, "an unknown field"); /* of a newer release: do not guess */
        }
    }
}
