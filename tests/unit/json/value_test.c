/* Values: owners, copies on write, look-ups, order, the meter. */
#include "json/json_internal.h"
#include "json/json_text.h"

#include "base/buf.h"
#include "base/random.h"
#include "cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static json parsed(const char *text)
{
    const struct json_limits limits = {.allow_nan = true};
    json value                      = json_invalid();
    struct error error              = {};
    if (json_parse(str_from(text), &limits, &value, NULL, &error) != STATUS_OK) {
        fail_msg("%s: %s", text, error.text);
    }
    return value;
}

static void assert_is(json value, const char *expected)
{
    CLEANUP(json_unrefp) json text = json_to_text_new(value);
    assert_string_equal(json_str(text).ptr, expected);
}

/* Every value of this list is smaller than the next, in jq's order. */
static const char *const ordered[] = {
    "null",
    "false",
    "true",
    "-Infinity",
    "-9223372036854777856",
    "-9223372036854775808",
    "-9223372036854775807",
    "-1.5",
    "-1",
    "-0.5",
    "0",
    "0.5",
    "1",
    "9007199254740992.0",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "1e400",
    "\"\"",
    "\"\\u0000\"",
    "\"a\"",
    "\"a\\u0000\"",
    "\"aa\"",
    "\"b\"",
    "\"\\u00e9\"",
    "\"\\uffff\"",
    "\"\\ud800\\udc00\"",
    "[]",
    "[null]",
    "[null,null]",
    "[0]",
    "[[]]",
    "[[],1]",
    "[[1]]",
    "{}",
    "{\"a\":9}",
    "{\"a\":1,\"b\":2}",
    "{\"b\":2,\"a\":2}",
    "{\"b\":3,\"a\":2}",
    "{\"a\":1,\"c\":0}",
    "{\"b\":0}",
};

static void order_is_total(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ordered); i++) {
        for (size_t k = 0; k < ARRAY_LEN(ordered); k++) {
            CLEANUP(json_unrefp) json a = parsed(ordered[i]);
            CLEANUP(json_unrefp) json b = parsed(ordered[k]);
            int expected                = (i > k) - (i < k);
            if (json_compare(a, b) != expected) fail_msg("%s, %s", ordered[i], ordered[k]);
            assert_int_equal(json_equal(a, b), expected == 0);
        }
    }
}

static void numbers_are_equal_by_value(void **state)
{
    (void)state;
    assert_true(json_equal(json_int(1), json_real(1)));
    assert_true(json_equal(json_real(-0.0), json_int(0)));
    assert_false(json_equal(json_int(9007199254740993), json_real(9007199254740992)));
    assert_false(json_equal(json_int(INT64_MAX), json_real(0x1p63)));
    assert_true(json_equal(json_int(INT64_MIN), json_real(-0x1p63)));
}

static void nan_is_below_all_numbers(void **state)
{
    (void)state;
    assert_true(json_compare(json_real((double)NAN), json_int(INT64_MIN)) < 0);
    assert_true(json_compare(json_int(INT64_MIN), json_real((double)NAN)) > 0);
    assert_true(json_compare(json_real((double)NAN), json_real(-(double)INFINITY)) < 0);
    assert_true(json_compare(json_real(1), json_real((double)NAN)) > 0);
    assert_true(json_compare(json_real((double)NAN), json_real((double)NAN)) < 0);
    assert_false(json_equal(json_real((double)NAN), json_real((double)NAN)));
    assert_true(json_compare(json_real((double)NAN), json_null()) > 0);
}

static void objects_are_equal_in_any_order(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json a = parsed("{\"a\":1,\"b\":[{\"c\":2,\"d\":3}]}");
    CLEANUP(json_unrefp) json b = parsed("{\"b\":[{\"d\":3,\"c\":2.0}],\"a\":1}");
    CLEANUP(json_unrefp) json c = parsed("{\"b\":[{\"d\":3,\"e\":2.0}],\"a\":1}");
    assert_true(json_equal(a, b));
    assert_false(json_equal(a, c));
}

static void comparing_may_run_out_of_steps(void **state)
{
    (void)state;
    /* 2^40 values in 40 nodes each. */
    json trees[2] = {json_array_new(0), json_array_new(0)};
    for (int tree = 0; tree < 2; tree++) {
        for (int i = 0; i < 40; i++) {
            json pair = json_array_new(2);
            json_array_push(&pair, json_ref(trees[tree]));
            json_array_push(&pair, json_take(&trees[tree]));
            trees[tree] = pair;
        }
    }
    uint64_t steps = 10'000;
    int order      = 7;
    assert_false(json_compare_within(trees[0], trees[1], &steps, &order));
    assert_int_equal(steps, 0);
    assert_int_equal(order, 7);
    assert_true(json_equal(trees[0], trees[0])); /* a node equals itself, at once */
    json_unref(trees[0]);
    json_unref(trees[1]);
}

static void whole_numbers_become_integers(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_true(json_to_int(json_real(-0x1p63), &value));
    assert_int_equal(value, INT64_MIN);
    assert_true(json_to_int(json_real(3), &value));
    assert_int_equal(value, 3);
    assert_false(json_to_int(json_real(0x1p63), &value));
    assert_false(json_to_int(json_real(0.5), &value));
    assert_false(json_to_int(json_real((double)NAN), &value));
    assert_false(json_to_int(json_null(), &value));
}

static void shared_containers_are_copied_before_a_change(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json one = parsed("{\"list\":[1,2,3],\"name\":\"x\"}");
    CLEANUP(json_unrefp) json two = json_ref(one);
    json_object_put_text(&two, "name", json_null());
    json list = json_ref(json_get_text(two, "list"));
    json_array_set(&list, 0, json_text_from("new"));
    json_array_push(&list, json_int(4));
    json_object_put_text(&two, "list", list);
    assert_is(one, "{\"list\":[1,2,3],\"name\":\"x\"}");
    assert_is(two, "{\"list\":[\"new\",2,3,4],\"name\":null}");
    assert_true(json_object_remove(&two, str_from("list")));
    assert_false(json_object_remove(&two, str_from("list")));
    assert_is(two, "{\"name\":null}");
}

static void an_array_may_hold_itself_as_it_was(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json array = json_array_new(1);
    json_array_push(&array, json_ref(array));
    json_array_push(&array, json_ref(array));
    assert_is(array, "[[],[[]]]");
}

static void arrays_lose_members(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json array = parsed("[\"a\",\"b\",\"c\",\"d\",\"e\"]");
    json_array_remove(&array, 1, 3);
    assert_is(array, "[\"a\",\"d\",\"e\"]");
    json_array_remove(&array, 3, 3);
    json_array_truncate(&array, 9);
    json_array_truncate(&array, 1);
    assert_is(array, "[\"a\"]");
    json_array_truncate(&array, 0);
    assert_is(array, "[]");
    assert_int_equal(json_at(array, 0).kind, JSON_INVALID);
    assert_int_equal(json_at(json_int(1), 0).kind, JSON_INVALID);
}

/* Across the change from walking to the index, and back by removals. */
static void objects_find_their_members_at_any_size(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    CLEANUP(json_unrefp) json object = json_object_new(0);
    char key[16];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof key, "key%d", i);
        json_object_put_text(&object, key, json_int(-1));
        json_object_put_text(&object, key, json_int(i));
        assert_int_equal(json_count(object), i + 1);
        assert_int_equal(json_get_text(object, "none").kind, JSON_INVALID);
    }
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(json_get_text(object, key).integer, i);
        assert_int_equal(json_get_key(object, json_key_value_at(object, (size_t)i)).integer, i);
        assert_true(str_is(json_key_at(object, (size_t)i), key));
    }
    for (int i = 0; i < COUNT; i += 2) {
        (void)snprintf(key, sizeof key, "key%d", i);
        assert_true(json_object_remove(&object, str_from(key)));
    }
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof key, "key%d", i);
        json found = json_get_text(object, key);
        assert_int_equal(found.kind, i % 2 ? JSON_INT : JSON_INVALID);
        if (i % 2) assert_int_equal(found.integer, i);
    }
    CLEANUP(json_unrefp) json copy = json_ref(object);
    json_object_put_text(&copy, "more", json_null());
    assert_int_equal(json_get_text(copy, "key999").integer, 999);
    assert_int_equal(json_get_text(object, "more").kind, JSON_INVALID);
}

static void an_empty_key_is_a_key(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json object = json_object_new(0);
    json_object_put(&object, (str){}, json_int(1));
    assert_int_equal(json_get(object, (str){}).integer, 1);
    assert_int_equal(json_get(json_null(), (str){}).kind, JSON_INVALID);
}

static void texts_grow_in_place_when_alone(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json text  = json_text_from("ab");
    CLEANUP(json_unrefp) json other = json_ref(text);
    json_text_append(&text, str_from("cd"));
    assert_is(text, "\"abcd\"");
    assert_is(other, "\"ab\"");
    for (int i = 0; i < 4; i++) json_text_append(&text, json_str(text)); /* a view of itself */
    assert_int_equal(json_str(text).len, 64);
    assert_int_equal(strlen(json_str(text).ptr), 64);
}

static void a_changed_text_is_another_key(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json object = json_object_new(100);
    CLEANUP(json_unrefp) json key    = json_text_new((str){.ptr = "a", .len = 1});
    json_text_append(&key, str_from("b")); /* makes room for more */
    json_object_put_key(&object, key, json_int(1));
    assert_true(json_object_remove(&object, str_from("ab")));
    json_text_append(&key, str_from("c"));
    json_object_put_key(&object, key, json_int(2));
    assert_int_equal(json_get_text(object, "abc").integer, 2);
    assert_int_equal(json_get_text(object, "ab").kind, JSON_INVALID);
}

static void foreign_bytes_become_texts(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json text = json_text_lossy(str_from("a\xff\xc3z\xe2\x82"));
    assert_string_equal(json_str(text).ptr, "a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd");
}

static void frozen_values_are_shared_and_never_changed(void **state)
{
    (void)state;
    json constant = json_freeze(parsed("{\"a\":[1,{\"b\":\"text\"}],\"c\":\"text\"}"));
    CLEANUP(json_unrefp) json mine = json_ref(constant);
    json_object_put_text(&mine, "c", json_int(1));
    json_unref(constant);
    json_unref(constant);
    assert_is(constant, "{\"a\":[1,{\"b\":\"text\"}],\"c\":\"text\"}");
    assert_is(mine, "{\"a\":[1,{\"b\":\"text\"}],\"c\":1}");
    json_unref(json_take(&mine));
    json_thaw_and_free(constant);
    json_thaw_and_free(json_freeze(json_int(1)));
}

static void a_node_used_twice_thaws_once(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json key = json_text_from("key");
    json inner                    = json_array_new(0);
    json outer                    = json_object_new(0);
    json_object_put_key(&outer, key, json_ref(inner));
    json_object_put_text(&outer, "again", inner);
    json_object_put_text(&outer, "name", json_take(&key));
    json_thaw_and_free(json_freeze(outer));
}

/* A block goes when the last of its texts goes, whoever has it. */
static void texts_of_a_block_live_alone(void **state)
{
    (void)state;
    enum { COUNT = 3 };
    CLEANUP(json_unrefp) json array = parsed("[\"one\",\"\",\"a third text\"]");
    json texts[COUNT];
    uint32_t offsets[COUNT];
    for (size_t i = 0; i < COUNT; i++) texts[i] = json_at(array, i);
    struct json_block *image = json_block_image(texts, COUNT, offsets);

    struct json_meter meter   = {.limit = 1 << 20};
    struct json_meter *before = json_meter_enter(&meter);
    struct json_block *block  = json_block_copy(image);
    json first                = json_ref(json_from_text(json_block_text(block, offsets[0])));
    json empty                = json_ref(json_from_text(json_block_text(block, offsets[1])));
    json kept                 = json_ref(json_from_text(json_block_text(block, offsets[2])));
    json_block_unref(block);
    assert_true(meter.used > 0);
    assert_is(first, "\"one\"");
    json_text_append(&first, str_from(" and more")); /* no room there: it moves */
    assert_is(first, "\"one and more\"");
    assert_is(empty, "\"\"");
    json_unref(empty);
    json_unref(first);
    assert_is(kept, "\"a third text\"");
    json_thaw_and_free(json_freeze(kept));
    assert_int_equal(meter.used, 0);

    json_block_unref(json_block_copy(image)); /* nobody took one */
    assert_int_equal(meter.used, 0);
    (void)json_meter_enter(before);
    free(image);
}

/* Short texts of a batch share blocks, long ones stand alone; each lives as long as it is owned. */
static void texts_of_a_batch_live_alone(void **state)
{
    (void)state;
    enum { COUNT = 200, LONGEST = 80 };
    char raw[LONGEST];
    memset(raw, 'x', sizeof raw);
    struct json_meter meter   = {.limit = 1 << 20};
    struct json_meter *before = json_meter_enter(&meter);
    struct json_batch batch   = {};
    json_batch_done(&batch); /* nothing came */
    json texts[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        raw[0]   = (char)('a' + i % 26);
        texts[i] = json_batch_text(&batch, (str){.ptr = raw, .len = i % (LONGEST + 1)});
    }
    json_batch_done(&batch);
    for (size_t step = 0; step < COUNT; step++) {
        size_t i = step * 7 % COUNT; /* in another order than they came */
        str text = json_str(texts[i]);
        assert_int_equal(text.len, i % (LONGEST + 1));
        assert_int_equal(text.ptr[text.len], '\0');
        if (text.len > 0) assert_int_equal(text.ptr[0], 'a' + i % 26);
        if (text.len > 1) assert_memory_equal(text.ptr + 1, raw + 1, text.len - 1);
        json_text_append(&texts[i], str_from("!"));
        json_unref(texts[i]);
    }
    assert_int_equal(meter.used, 0);
    (void)json_meter_enter(before);
}

static void members_are_changed_in_place(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json array  = parsed("[1,{\"a\":2}]");
    CLEANUP(json_unrefp) json shared = json_ref(array);
    json *member                     = json_array_slot(&array, 1);
    *json_object_slot(member, 0)     = json_int(3);
    assert_is(array, "[1,{\"a\":3}]");
    assert_is(shared, "[1,{\"a\":2}]");
    const struct json_array *node = array.array;
    *json_array_slot(&array, 0)   = json_int(4);
    assert_ptr_equal(array.array, node);
    assert_is(array, "[4,{\"a\":3}]");
}

static void the_meter_counts_to_zero(void **state)
{
    (void)state;
    struct json_meter meter   = {.limit = 1 << 20};
    struct json_meter *before = json_meter_enter(&meter);
    json value                = parsed("{\"a\":[1,2,\"three\"],\"b\":{\"c\":{}}}");
    assert_true(meter.used > 100);
    for (int i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "%d", i);
        json_object_put_text(&value, key, json_text_from(key));
    }
    int64_t used = meter.used;
    assert_true(json_meter_allows((size_t)(meter.limit - used)));
    assert_false(meter.is_exceeded);
    assert_false(json_meter_allows((size_t)(meter.limit - used) + 1));
    assert_true(meter.is_exceeded);
    json_unref(value);
    assert_int_equal(meter.used, 0);
    assert_ptr_equal(json_meter_enter(before), &meter);
    assert_true(json_meter_allows(SIZE_MAX));
}

static void kinds_have_names(void **state)
{
    (void)state;
    static const char *const names[] = {"invalid", "null",   "boolean", "boolean", "number",
                                        "number",  "string", "array",   "object"};
    for (unsigned kind = JSON_INVALID; kind <= JSON_OBJECT; kind++) {
        json value = {.kind = (enum json_kind)kind};
        assert_string_equal(json_kind_name(value), names[kind]);
        assert_int_equal(json_is_truthy(value), kind > JSON_FALSE);
    }
}

/* Significant digits: without zeros at either end, sign, point and exponent. */
static size_t digits_in(const char *text)
{
    size_t digits = 0;
    size_t zeros  = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text == '-' || *text == '.' || (*text == '0' && digits == 0)) continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        digits++;
    }
    return digits - zeros;
}

/* Any double reads back as itself, and no shorter text does: one digit less is another number. */
static void doubles_survive_their_text(void **state)
{
    (void)state;
    struct prng prng = {.state = 42};
    for (int i = 0; i < 20'000; i++) {
        union {
            uint64_t bits;
            double real;
        } number = {.bits = prng_next(&prng)};
        if (i % 4 == 1) number.real = (double)(int64_t)(number.bits >> 40) / 1000;
        if (i % 4 == 2) number.bits = (number.bits % 2047) << 52; /* powers of two */
        if (i % 4 == 3) number.bits &= ((uint64_t)1 << 52) - 1;   /* subnormals */
        if (!isfinite(number.real)) continue;
        CLEANUP(json_unrefp) json text = json_to_text_new(json_real(number.real));
        CLEANUP(json_unrefp) json back = parsed(json_str(text).ptr);
        if (json_number(back) != number.real) fail_msg("%a: %s", number.real, json_str(text).ptr);
        char shorter[40];
        (void)snprintf(shorter, sizeof shorter, "%.15g", number.real);
        if (json_number(parsed(shorter)) == number.real) {
            assert_true(digits_in(json_str(text).ptr) <= digits_in(shorter));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_total),
        cmocka_unit_test(numbers_are_equal_by_value),
        cmocka_unit_test(nan_is_below_all_numbers),
        cmocka_unit_test(objects_are_equal_in_any_order),
        cmocka_unit_test(comparing_may_run_out_of_steps),
        cmocka_unit_test(whole_numbers_become_integers),
        cmocka_unit_test(shared_containers_are_copied_before_a_change),
        cmocka_unit_test(an_array_may_hold_itself_as_it_was),
        cmocka_unit_test(arrays_lose_members),
        cmocka_unit_test(objects_find_their_members_at_any_size),
        cmocka_unit_test(an_empty_key_is_a_key),
        cmocka_unit_test(texts_grow_in_place_when_alone),
        cmocka_unit_test(a_changed_text_is_another_key),
        cmocka_unit_test(foreign_bytes_become_texts),
        cmocka_unit_test(frozen_values_are_shared_and_never_changed),
        cmocka_unit_test(a_node_used_twice_thaws_once),
        cmocka_unit_test(texts_of_a_block_live_alone),
        cmocka_unit_test(texts_of_a_batch_live_alone),
        cmocka_unit_test(members_are_changed_in_place),
        cmocka_unit_test(the_meter_counts_to_zero),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(doubles_survive_their_text),
    };
    return cmocka_run_group_tests_name("json values", tests, NULL, NULL);
}
