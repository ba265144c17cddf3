/* Nodes that wait for the next of their size: counted as freed, bounded, gone with their thread. */
#include "json/json_internal.h"

#include "base/attr.h"
#include "cmocka.h"

#include <pthread.h>
#include <stdlib.h>

enum { NODES = 600 /* more than wait, of every size */ };

static void fill_and_free(size_t size)
{
    void *nodes[NODES];
    for (size_t i = 0; i < NODES; i++) {
        nodes[i] = json_node_new(size);
        memset(nodes[i], (int)i, size); /* all of it is ours: the sanitizers look */
    }
    for (size_t i = 0; i < NODES; i++) {
        for (size_t at = 0; at < size; at++) {
            assert_int_equal(((unsigned char *)nodes[i])[at], (unsigned char)i);
        }
        json_node_free(nodes[i], size);
    }
}

static size_t waiting_bytes(size_t at)
{
    size_t size = 0;
    for (const struct json_waiting *node = json_memory.shelves[at].first; node; node = node->next) {
        size += at * JSON_SHELF_STEP + JSON_SHELF_STEP / 2;
    }
    return size;
}

static void few_bytes_wait(void **state)
{
    (void)state;
    struct json_meter meter   = {.limit = 1 << 30};
    struct json_meter *before = json_meter_enter(&meter);
    for (size_t size = 1; size <= 600; size++) fill_and_free(size);
    (void)json_meter_enter(before);
    assert_int_equal(meter.used, 0);
    for (size_t at = 0; at < JSON_SHELVES; at++) {
        size_t waiting = waiting_bytes(at);
        assert_true(waiting <= JSON_SHELF_MAX);
        assert_int_equal(waiting > 0, JSON_NODES_WAIT);
    }
}

static void the_same_node_comes_back(void **state)
{
    (void)state;
    json_unref(json_text_from("opens the shelves"));
    json text         = json_text_from("a text");
    const void *first = text.text;
    json_unref(text);
    text = json_text_from("another"); /* as large, when rounded */
    if (JSON_NODES_WAIT) assert_ptr_equal(text.text, first);
    assert_string_equal(json_str(text).ptr, "another");
    json_unref(text);
}

static void sizes_change(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 8, 9, 24, 25, 503, 504, 505, 520, 4096, 520, 505, 504, 25, 1};
    struct json_meter meter     = {.limit = 1 << 20};
    struct json_meter *before   = json_meter_enter(&meter);
    size_t size                 = 0;
    char *node                  = NULL;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        node        = json_node_resize(node, size, sizes[i]);
        size_t kept = size < sizes[i] ? size : sizes[i];
        for (size_t at = 0; at < kept; at++) assert_int_equal(node[at], 'x');
        size = sizes[i];
        memset(node, 'x', size);
        assert_int_equal(meter.used, size);
    }
    json_node_free(node, size);
    json_node_free(NULL, 0);
    assert_int_equal(meter.used, 0);
    (void)json_meter_enter(before);
}

static void *work(void *context)
{
    json value = *(json *)context; /* made by another thread, which has handed it over */
    json_unref(value);
    json array = json_array_new(3);
    json_array_push(&array, json_text_from("made here"));
    *(json *)context = array;
    return NULL;
}

/* The address sanitizer would find what a thread leaves behind, if nodes waited under it; here a
 * thread that ends frees what waits, and what it handed over lives on. */
static void threads_end(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        json value = json_array_new(3);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, work, &value), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_string_equal(json_str(json_at(value, 0)).ptr, "made here");
        json_unref(value);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_bytes_wait),
        cmocka_unit_test(the_same_node_comes_back),
        cmocka_unit_test(sizes_change),
        cmocka_unit_test(threads_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
