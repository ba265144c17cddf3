#include "cmocka.h"
#include "rpc/address.h"

struct row {
    const char *text;
    const char *url; /* NULL: refused */
    const char *long_url;
};

static const struct row rows[] = {
    {"tcp://127.0.0.1:7082", "tcp://127.0.0.1:7082", "tcp://127.0.0.1:7182"},
    {"tcp://[::1]:7082", "tcp://[::1]:7082", "tcp://[::1]:7182"},
    {"tcp://127.0.0.1:0", "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"},
    {"tls+tcp://host:1", "tls+tcp://host:1", "tls+tcp://host:101"},
    {"dns+tcp://host:7082", "tcp://host:7082", "tcp://host:7182"},
    {"dns+tls+tcp://host:7082", "tls+tcp://host:7082", "tls+tcp://host:7182"},
    {"ipc:///run/s", "ipc:///run/s", "ipc:///run/s.long"},
    {"abstract://s", "abstract://s", "abstract://s.long"},
    {"inproc://s", "inproc://s", "inproc://s.long"},
    {"tcp://a:1  tcp://b:2", "tcp://a:1", "tcp://b:2"},
    {"tcp://a:65435", "tcp://a:65435", "tcp://a:65535"},
    {"tcp://a:65436", NULL, NULL},
    {"tcp://a:65436 tcp://a:1", "tcp://a:65436", "tcp://a:1"},
    {"tcp://a:65536", NULL, NULL},
    {"tcp://a", NULL, NULL},
    {"tcp://a:", NULL, NULL},
    {"tcp://:1", NULL, NULL},
    {"tcp://[]:1", NULL, NULL},
    {"tcp://a:x1", NULL, NULL},
    {"http://a:1", NULL, NULL},
    {"dns+ipc:///run/s", NULL, NULL},
    {"ipc://", NULL, NULL},
    {"", NULL, NULL},
    {"tcp://a:1 nothing", NULL, NULL},
};

static void an_address_is_read(void **state)
{
    const struct row *row = *state;
    struct address address;
    struct error error = {};
    status code        = address_parse(str_from(row->text), &address, &error);
    if (!row->url) {
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
        return;
    }
    assert_int_equal(code, STATUS_OK);
    assert_string_equal(address.url, row->url);
    assert_string_equal(address.long_url, row->long_url);
}

static void too_long_is_refused(void **)
{
    char text[RPC_ENDPOINT_MAX + 8] = "ipc:///";
    struct address address;
    memset(text + 7, 'x', sizeof text - 8);
    assert_int_equal(address_parse(str_from(text), &address, NULL), STATUS_INVALID_ARGUMENT);
    text[RPC_ENDPOINT_MAX - 1] = '\0'; /* fits, but not with ".long" after it */
    assert_int_equal(address_parse(str_from(text), &address, NULL), STATUS_INVALID_ARGUMENT);
    text[RPC_ENDPOINT_MAX - 6] = '\0';
    assert_int_equal(address_parse(str_from(text), &address, NULL), STATUS_OK);

    char host[300] = "tcp://";
    memset(host + 6, 'h', ADDRESS_HOST_MAX + 1);
    memcpy(host + 6 + ADDRESS_HOST_MAX + 1, ":1", 3);
    assert_int_equal(address_parse(str_from(host), &address, NULL), STATUS_INVALID_ARGUMENT);
}

static void a_name_becomes_its_addresses(void **)
{
    struct address name;
    struct address resolved;
    assert_int_equal(address_parse(str_from("dns+tls+tcp://pod:70"), &name, NULL), STATUS_OK);
    assert_true(name.is_dns && name.is_tls && !name.is_local);
    address_resolve(&name, "10.0.0.7", &resolved);
    assert_string_equal(resolved.url, "tls+tcp://10.0.0.7:70");
    assert_string_equal(resolved.long_url, "tls+tcp://10.0.0.7:170");
    assert_string_equal(resolved.host, "pod"); /* what stands in the certificate */
    address_resolve(&name, "fd00::7", &resolved);
    assert_string_equal(resolved.url, "tls+tcp://[fd00::7]:70");
}

static void lists_are_taken_apart(void **)
{
    str list = str_from(" a, b b ,,c");
    str part;
    assert_true(address_next(&list, &part) && str_is(part, "a"));
    assert_true(address_next(&list, &part) && str_is(part, "b b"));
    assert_true(address_next(&list, &part) && str_is(part, "c"));
    assert_false(address_next(&list, &part));
}

int main(void)
{
    struct CMUnitTest tests[3 + ARRAY_LEN(rows)] = {
        cmocka_unit_test(too_long_is_refused),
        cmocka_unit_test(a_name_becomes_its_addresses),
        cmocka_unit_test(lists_are_taken_apart),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[3 + i] = row_test(rows[i].text, an_address_is_read, &rows[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
