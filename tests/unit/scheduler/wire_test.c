/* wire: every kind of field at its edges, and bytes that are none of ours. */
#include "scheduler/run/wire.h"

#include "cmocka.h"
#include "json/json_text.h"

struct sample {
    bool flag;
    uint8_t small;
    uint32_t number, slot;
    enum { ZERO, LAST = 255 } choice;
    uint64_t large;
    int64_t negative;
    struct id id;
    json value;
    json late; /* of a field with a large number */
};

static const struct wire_field fields[] = {
    {1, WIRE_BOOL, offsetof(struct sample, flag)},
    {2, WIRE_U8, offsetof(struct sample, small)},
    {3, WIRE_U32, offsetof(struct sample, number)},
    {4, WIRE_SLOT, offsetof(struct sample, slot)},
    {5, WIRE_ENUM, offsetof(struct sample, choice)},
    {6, WIRE_U64, offsetof(struct sample, large)},
    {7, WIRE_I64, offsetof(struct sample, negative)},
    {8, WIRE_ID, offsetof(struct sample, id)},
    {9, WIRE_VALUE, offsetof(struct sample, value)},
    {143, WIRE_VALUE, offsetof(struct sample, late)},
};
static const struct wire_table table = {fields, ARRAY_LEN(fields)};

static status store_nothing(str, uint64_t *, void *, struct error *reterr)
{
    return fail(reterr, STATUS_UNAVAILABLE, "no payloads here");
}

static status load_nothing(uint64_t, str *, void *, struct error *reterr)
{
    return fail(reterr, STATUS_DATA_LOSS, "no payloads here");
}

static const struct payload_store payloads = {store_nothing, load_nothing, NULL};

static void write_sample(const struct sample *sample, struct buf *out)
{
    struct payload_index index = {};
    struct wire_writer writer;
    wire_writer_init(&writer, &index, &payloads, out);
    assert_int_equal(wire_put(&writer, &table, sample, NULL), STATUS_OK);
    wire_writer_done(&writer);
}

static status read_sample(str raw, struct sample *ret_sample)
{
    struct payload_index index      = {};
    const struct wire_reader reader = {.index = &index, .payloads = &payloads};
    status code                     = wire_read(raw, &reader, &table, ret_sample, NULL);
    payload_index_done(&index);
    return code;
}

static void the_largest_values_come_back(void **state)
{
    (void)state;
    const struct sample largest = {
        .flag     = true,
        .small    = UINT8_MAX,
        .number   = UINT32_MAX,
        .slot     = UINT32_MAX - 1,
        .choice   = LAST,
        .large    = UINT64_MAX,
        .negative = INT64_MIN,
        .id       = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        .value    = json_int(INT64_MIN),
        .late     = json_int(143),
    };
    CLEANUP(buf_done) struct buf raw = buf_init(1 << 10);
    struct sample copy               = {.slot = UINT32_MAX};
    write_sample(&largest, &raw);
    assert_int_equal(read_sample(buf_str(&raw), &copy), STATUS_OK);
    assert_true(copy.flag && copy.small == UINT8_MAX && copy.number == UINT32_MAX);
    assert_true(copy.slot == UINT32_MAX - 1 && copy.choice == LAST);
    assert_true(copy.large == UINT64_MAX && copy.negative == INT64_MIN);
    assert_string_equal(copy.id.text, largest.id.text);
    assert_true(json_equal(copy.value, largest.value));
    assert_true(json_equal(copy.late, largest.late));
}

static void what_is_zero_takes_no_bytes(void **state)
{
    (void)state;
    const struct sample nothing      = {.slot = UINT32_MAX};
    CLEANUP(buf_done) struct buf raw = buf_init(1 << 10);
    write_sample(&nothing, &raw);
    assert_int_equal(raw.len, 0);
}

static void a_store_that_fails_fails_the_writer(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text = buf_init(4 << 10);
    CLEANUP(buf_done) struct buf raw  = buf_init(4 << 10);
    for (int i = 0; i < PAYLOAD_INLINE_MAX; i++) (void)buf_put_byte(&text, 'x');
    struct sample sample       = {.slot = UINT32_MAX, .value = json_text_new(buf_str(&text))};
    struct payload_index index = {};
    struct wire_writer writer;
    wire_writer_init(&writer, &index, &payloads, &raw);
    assert_int_equal(wire_put(&writer, &table, &sample, NULL), STATUS_UNAVAILABLE);
    wire_writer_done(&writer);
    json_unref(sample.value);
}

/* clang-format off */
static const struct row {
    const char *name;
    const char *raw;
    size_t      size;
} rows[] = {
    {"a field of number 0",             "\x00\x01", 2},
    {"a number without end",            "\x08\x80", 2},
    {"a number of eleven bytes",        "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
    {"a number above 64 bits",          "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11},
    {"a fixed-width field",             "\x09\x00\x00\x00\x00\x00\x00\x00\x00", 9},
    {"a field that ends nowhere",       "\x4a\x05" "ab", 4},
    {"an unknown field",                "\x78\x01", 2},
    {"two in a boolean",                "\x08\x02", 2},
    {"256 in a byte",                   "\x10\x80\x02", 3},
    {"33 bits in 32",                   "\x18\x80\x80\x80\x80\x10", 6},
    {"256 in an enum",                  "\x28\x80\x02", 3},
    {"text where a number is expected", "\x1a\x01" "a", 3},
    {"an id of three bytes",            "\x42\x03" "abc", 5},
    {"a value that is no JSON",         "\x4a\x01" "{", 3},
    {"a value that is a number field",  "\x48\x01", 2},
    {"a reference without a hash",      "\xca\x04\x02\x08\x01", 5},
    {"a reference to nothing",          "\xca\x04\x14\x08\x01\x12\x10" "0123456789abcdef", 23},
};
/* clang-format on */

static void damage_is_data_loss(void **state)
{
    const struct row *row = *state;
    struct sample sample  = {};
    assert_int_equal(read_sample((str){row->raw, row->size}, &sample), STATUS_DATA_LOSS);
    json_unref(sample.value);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(the_largest_values_come_back),
        cmocka_unit_test(what_is_zero_takes_no_bytes),
        cmocka_unit_test(a_store_that_fails_fails_the_writer),
    };
    struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(others)];
    memcpy(tests, others, sizeof others);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[ARRAY_LEN(others) + i] = row_test(rows[i].name, damage_is_data_loss, &rows[i]);
    }
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
