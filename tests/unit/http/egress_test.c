#include "http/egress.h"

#include "cmocka.h"

/* --- Classes ---------------------------------------------------------------------------------- */

struct row {
    const char *address;
    enum egress_class class;
};

/* Both ends of each range, and their neighbours. */
static const struct row rows[] = {
    {"1.1.1.1", EGRESS_PUBLIC},
    {"0.0.0.0", EGRESS_UNSPECIFIED},
    {"0.255.255.255", EGRESS_UNSPECIFIED},
    {"1.0.0.0", EGRESS_PUBLIC},
    {"9.255.255.255", EGRESS_PUBLIC},
    {"10.0.0.0", EGRESS_PRIVATE},
    {"10.255.255.255", EGRESS_PRIVATE},
    {"11.0.0.0", EGRESS_PUBLIC},
    {"100.63.255.255", EGRESS_PUBLIC},
    {"100.64.0.0", EGRESS_CGNAT},
    {"100.100.100.200", EGRESS_METADATA},
    {"100.127.255.255", EGRESS_CGNAT},
    {"100.128.0.0", EGRESS_PUBLIC},
    {"126.255.255.255", EGRESS_PUBLIC},
    {"127.0.0.0", EGRESS_LOOPBACK},
    {"127.255.255.255", EGRESS_LOOPBACK},
    {"128.0.0.0", EGRESS_PUBLIC},
    {"168.63.129.16", EGRESS_METADATA},
    {"168.63.129.17", EGRESS_PUBLIC},
    {"169.253.255.255", EGRESS_PUBLIC},
    {"169.254.0.0", EGRESS_LINK_LOCAL},
    {"169.254.169.254", EGRESS_METADATA},
    {"169.254.170.2", EGRESS_METADATA},
    {"169.254.255.255", EGRESS_LINK_LOCAL},
    {"169.255.0.0", EGRESS_PUBLIC},
    {"172.15.255.255", EGRESS_PUBLIC},
    {"172.16.0.0", EGRESS_PRIVATE},
    {"172.31.255.255", EGRESS_PRIVATE},
    {"172.32.0.0", EGRESS_PUBLIC},
    {"192.0.0.1", EGRESS_RESERVED},
    {"192.0.0.192", EGRESS_METADATA},
    {"192.0.2.1", EGRESS_RESERVED},
    {"192.167.255.255", EGRESS_PUBLIC},
    {"192.168.0.0", EGRESS_PRIVATE},
    {"192.168.255.255", EGRESS_PRIVATE},
    {"192.169.0.0", EGRESS_PUBLIC},
    {"198.17.255.255", EGRESS_PUBLIC},
    {"198.18.0.0", EGRESS_RESERVED},
    {"198.19.255.255", EGRESS_RESERVED},
    {"198.20.0.0", EGRESS_PUBLIC},
    {"223.255.255.255", EGRESS_PUBLIC},
    {"224.0.0.0", EGRESS_MULTICAST},
    {"239.255.255.255", EGRESS_MULTICAST},
    {"240.0.0.0", EGRESS_RESERVED},
    {"255.255.255.255", EGRESS_RESERVED},

    {"::", EGRESS_UNSPECIFIED},
    {"::1", EGRESS_LOOPBACK},
    {"::2", EGRESS_UNSPECIFIED},      /* compatible with 0.0.0.2 */
    {"::127.0.0.1", EGRESS_LOOPBACK}, /* compatible */
    {"::ffff:127.0.0.1", EGRESS_LOOPBACK},
    {"::ffff:8.8.8.8", EGRESS_PUBLIC},
    {"::ffff:0:10.0.0.1", EGRESS_PRIVATE},
    {"64:ff9b::10.0.0.1", EGRESS_PRIVATE},
    {"64:ff9b::8.8.8.8", EGRESS_PUBLIC},
    {"64:ff9b:1::a9fe:a9fe", EGRESS_METADATA},
    {"2002:7f00:1::", EGRESS_LOOPBACK}, /* 6to4 */
    {"2002:808:808::1", EGRESS_PUBLIC},
    {"2001:0:1:2:3:4:80ff:fffe", EGRESS_LOOPBACK}, /* Teredo: 7f.00.00.01 flipped */
    {"2001:2::1", EGRESS_RESERVED},
    {"2001:200::1", EGRESS_PUBLIC},
    {"2001:db8::1", EGRESS_RESERVED},
    {"2606:4700::1111", EGRESS_PUBLIC},
    {"3fff:fff::1", EGRESS_RESERVED},
    {"3fff:1000::1", EGRESS_PUBLIC},
    {"4000::1", EGRESS_RESERVED},
    {"100::1", EGRESS_RESERVED},
    {"fbff::1", EGRESS_RESERVED},
    {"fc00::1", EGRESS_ULA},
    {"fd00:ec2::254", EGRESS_METADATA},
    {"fd00:ec2::253", EGRESS_ULA},
    {"fdff:ffff::1", EGRESS_ULA},
    {"fe80::1", EGRESS_LINK_LOCAL},
    {"fe80::1%eth0", EGRESS_LINK_LOCAL},
    {"febf::1", EGRESS_LINK_LOCAL},
    {"fec0::1", EGRESS_PRIVATE},
    {"ff02::1", EGRESS_MULTICAST},
};

static struct egress_address address_of(const char *text)
{
    struct egress_address address;
    assert_true(egress_address_parse(str_from(text), &address));
    return address;
}

static void address_has_its_class(void **state)
{
    const struct row *row = *state;
    assert_string_equal(egress_class_name(egress_classify(address_of(row->address))),
                        egress_class_name(row->class));
    assert_int_equal(egress_allows(NULL, address_of(row->address), true),
                     row->class == EGRESS_PUBLIC);
}

static void only_addresses_are_read(void **state)
{
    (void)state;
    static const char *const refused[] = {"",          "localhost", "1.2.3", "1.2.3.4.5",
                                          "1.2.3.256", "0x7f.1",    "127.1", "2130706433",
                                          "::1::",     "1.2.3.4 "};
    struct egress_address address;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        assert_false(egress_address_parse(str_from(refused[i]), &address));
    }
    char long_text[EGRESS_ADDRESS_MAX + 1];
    memset(long_text, '1', sizeof long_text);
    assert_false(egress_address_parse((str){long_text, sizeof long_text}, &address));
    assert_false(egress_address_parse((str){"1.2.3.4\0", 8}, &address));
}

/* --- Rules ------------------------------------------------------------------------------------ */

static void rules_open_networks(void **state)
{
    (void)state;
    static const char *const networks[] = {"10.20.0.0/16", "192.168.1.7", "fd00:1::/33",
                                           "169.254.0.0/16", NULL};
    static const char *const hosts[]    = {"Prometheus.svc", NULL};
    const struct egress_options options = {.private_allow = networks, .http_allow = hosts};
    CLEANUP(egress_rules_freep) struct egress_rules *rules = NULL;
    assert_int_equal(egress_rules_new(&options, &rules, NULL), STATUS_OK);

    static const struct {
        const char *address;
        bool allowed;
    } checks[] = {
        {"10.20.0.0", true},        {"10.20.255.255", true},    {"10.21.0.0", false},
        {"10.19.255.255", false},   {"::ffff:10.20.1.1", true}, {"192.168.1.7", true},
        {"192.168.1.8", false},     {"fd00:1::1", true},        {"fd00:1:7fff::1", true},
        {"fd00:1:8000::1", false},  {"8.8.8.8", true},          {"169.254.1.1", true},
        {"169.254.169.254", false}, /* never */
    };
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct egress_address address = address_of(checks[i].address);
        bool is_public                = egress_classify(address) == EGRESS_PUBLIC;
        assert_int_equal(egress_allows(rules, address, true), checks[i].allowed);
        assert_int_equal(egress_allows(rules, address, false), is_public);
    }
    assert_true(egress_allows_http(rules, str_from("prometheus.SVC")));
    assert_false(egress_allows_http(rules, str_from("prometheus.svc.evil")));
    assert_false(egress_allows_http(rules, str_from("")));
    assert_false(egress_allows_http(NULL, str_from("prometheus.svc")));
}

/* What may not be called is named with what would allow it. */
static void refusals_are_explained(void **state)
{
    (void)state;
    static const char *const networks[] = {"10.20.0.0/16", NULL};
    static const struct {
        const char *section, *address;
        bool allow_private;
        const char *reason;
    } checks[] = {
        {"tools.egress", "10.1.2.3", false,
         "private address 10.1.2.3; it takes tools.egress.private_networks and `allow_private` of "
         "the connection"},
        {"tools.egress", "::ffff:10.1.2.3", true,
         "private address 10.1.2.3; it takes tools.egress.private_networks"},
        {"tools.egress", "10.20.2.3", false,
         "private address 10.20.2.3; it takes `allow_private` of the connection"},
        {"tools.egress", "169.254.169.254", true,
         "metadata address 169.254.169.254, which nothing allows"},
        {"tools.egress", "fd00:1111:2222:3333:4444:5555:6666:7777", false,
         "unique local address fd00:1111:2222:3333:4444:5555:6666:7777; it takes "
         "tools.egress.private_networks and `allow_private` of the connection"},
        {NULL, "::1", true, "loopback address ::1"},
        {NULL, NULL, true, "unknown address"},
    };
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        const struct egress_options options                    = {.private_allow = networks,
                                                                  .section       = checks[i].section};
        CLEANUP(egress_rules_freep) struct egress_rules *rules = NULL;
        struct egress_address address                          = {};
        char reason[EGRESS_REASON_MAX];
        assert_int_equal(egress_rules_new(&options, &rules, NULL), STATUS_OK);
        if (checks[i].address) address = address_of(checks[i].address);
        egress_explain(rules, checks[i].address ? &address : NULL, checks[i].allow_private, reason);
        assert_string_equal(reason, checks[i].reason);
    }
}

static void bad_rules_are_named(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "10.0.0.0/",  "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "host.local/8",
        "::/129", "10.0.0.0/ 8"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *const networks[]        = {bad[i], NULL};
        const struct egress_options options = {.private_allow = networks};
        struct egress_rules *rules          = NULL;
        struct error error                  = {};
        assert_int_equal(egress_rules_new(&options, &rules, &error), STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(error.text, bad[i]));
    }
    static const char *const url[]      = {"http://host", NULL};
    const struct egress_options options = {.http_allow = url};
    struct egress_rules *rules          = NULL;
    assert_int_equal(egress_rules_new(&options, &rules, NULL), STATUS_INVALID_ARGUMENT);

    static const char *many[EGRESS_RULES_MAX + 2];
    for (int i = 0; i <= EGRESS_RULES_MAX; i++) many[i] = "10.0.0.0/8";
    const struct egress_options too_many = {.private_allow = many};
    assert_int_equal(egress_rules_new(&too_many, &rules, NULL), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 4];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].address, address_has_its_class, &rows[i]);
    }
    tests[ARRAY_LEN(rows)]     = (struct CMUnitTest)cmocka_unit_test(only_addresses_are_read);
    tests[ARRAY_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(rules_open_networks);
    tests[ARRAY_LEN(rows) + 2] = (struct CMUnitTest)cmocka_unit_test(bad_rules_are_named);
    tests[ARRAY_LEN(rows) + 3] = (struct CMUnitTest)cmocka_unit_test(refusals_are_explained);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
