/* The table against the .proto files: the same services, methods and classes, in both. */
#include "cmocka.h"
#include "rpc/contract.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_SIZE = 1024, PATH_MAX_SIZE = 256 };

/* What a walk over the files has seen. */
struct seen {
    unsigned services;
    unsigned methods;
    const struct rpc_contract_service *service; /* whose block the walk is in */
    unsigned index;                             /* of the next method in it */
};

/* The .proto files say the class as the first word of a comment behind the method. */
static void check_class(const char *line, const struct rpc_contract_method *method)
{
    const char *comment = strstr(line, "// ");
    if (!comment) return;
    const char *name = rpc_class_name(method->class);
    if (strncmp(comment + 3, name, strlen(name)) != 0) {
        fail_msg("%s is %s in the contract, but the proto says: %s", method->name, name, line);
    }
}

static void check_line(const char *line, struct seen *seen)
{
    char name[64];
    char full[96];
    if (sscanf(line, "service %63[A-Za-z0-9] {", name) == 1) {
        (void)snprintf(full, sizeof full, "tutti.v1.%s", name);
        seen->service = rpc_contract_service(rpc_contract, full);
        if (!seen->service) fail_msg("%s is not in rpc_contract", full);
        seen->services++;
        seen->index = 0;
    } else if (sscanf(line, "  rpc %63[A-Za-z0-9](", name) == 1) {
        assert_non_null(seen->service);
        const struct rpc_contract_method *method = rpc_contract_method(seen->service, name);
        if (!method) fail_msg("%s.%s is not in rpc_contract", seen->service->name, name);
        /* The same order, so that a number on the wire is easily found in either. */
        assert_ptr_equal(method, &seen->service->methods[seen->index++]);
        check_class(line, method);
        seen->methods++;
    }
}

static void walk_protos(struct seen *seen)
{
    DIR *folder = opendir("proto");
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (!strstr(entry->d_name, ".proto")) continue;
        char path[PATH_MAX_SIZE];
        (void)snprintf(path, sizeof path, "proto/%.200s", entry->d_name);
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        char line[LINE_MAX_SIZE];
        while (fgets(line, sizeof line, file)) check_line(line, seen);
        (void)fclose(file);
    }
    (void)closedir(folder);
}

static void contract_and_protos_have_the_same_methods(void **)
{
    struct seen seen = {};
    walk_protos(&seen);

    unsigned services = 0;
    unsigned methods  = 0;
    for (const struct rpc_contract_service *service = rpc_contract; service->name; service++) {
        services++;
        for (unsigned i = 0; service->methods[i].name; i++) methods++;
    }
    assert_int_equal(seen.services, services);
    assert_int_equal(seen.methods, methods);
}

static void numbers_are_unique_and_in_range(void **)
{
    bool taken[RPC_SERVICE_NUMBER_MAX + 1] = {};
    for (const struct rpc_contract_service *service = rpc_contract; service->name; service++) {
        assert_in_range(service->number, 1, RPC_SERVICE_NUMBER_MAX);
        assert_false(taken[service->number]);
        taken[service->number] = true;
        for (unsigned i = 0; service->methods[i].name; i++) {
            assert_in_range(service->methods[i].class, RPC_FAST, RPC_LONG);
            assert_true(service->methods[i].callers != 0);
            assert_true(i < RPC_METHODS_MAX);
        }
    }
}

/* An older program that is still there while a newer one is rolled out sends these. Whoever adds a
 * method adds a line; nobody changes one. */
static void numbers_stay_what_they_were(void **)
{
    FILE *file = fopen("tests/unit/rpc/method_numbers.txt", "re");
    assert_non_null(file);
    unsigned number;
    unsigned lines = 0;
    char service_name[64];
    char name[64];
    while (fscanf(file, "%x %63[A-Za-z0-9].%63[A-Za-z0-9]\n", &number, service_name, name) == 3) {
        char full[96];
        (void)snprintf(full, sizeof full, "tutti.v1.%s", service_name);
        const struct rpc_contract_service *service = rpc_contract_service(rpc_contract, full);
        if (!service || service->number != number >> 8) fail_msg("%s has another number", full);
        const struct rpc_contract_method *method = rpc_contract_method(service, name);
        if (!method || (size_t)(method - service->methods) != (number & 0xff)) {
            fail_msg("%s.%s is not %x any more", full, name, number);
        }
        lines++;
    }
    (void)fclose(file);
    struct seen seen = {};
    walk_protos(&seen);
    assert_int_equal(lines, seen.methods);
}

static void look_ups_say_what_they_do_not_know(void **)
{
    assert_null(rpc_contract_service(rpc_contract, "tutti.v1.Nothing"));
    assert_null(rpc_contract_method(&rpc_contract[0], "Nothing"));
    assert_int_equal(rpc_caller_kind("llm-proxy"), RPC_BY_WORKER);
    assert_int_equal(rpc_caller_kind("somebody"), 0);
    assert_string_equal(rpc_class_name(RPC_BULK), "bulk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract_and_protos_have_the_same_methods),
        cmocka_unit_test(numbers_are_unique_and_in_range),
        cmocka_unit_test(numbers_stay_what_they_were),
        cmocka_unit_test(look_ups_say_what_they_do_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
