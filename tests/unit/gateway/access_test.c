/* Who may do what: roles, keys, namespaces. */
#include "support/gateway/front.h"

/* Said here once more, from http-api.md section 5: letters as there, and `*` for an admin of all
 * namespaces, who may what one of a single one may. */
static const struct {
    const char *operation;
    const char *may; /* "": anybody, without a key */
} rights[] = {
    {"startRun", "DOX"},
    {"listRuns", "VDOAX"},
    {"getRun", "VDOAX"},
    {"eraseRun", "X"},
    {"deleteWorkflowVersion", "DOX"},
    {"listTasks", "VDOAX"},
    {"getVariables", "VDOAX"},
    {"setVariable", "OX"},
    {"getRunHistory", "VDOAX"},
    {"followRun", "VDOAX"},
    {"getRunResult", "VDOAX"},
    {"cancelRun", "DOX"},
    {"retryRun", "DOX"},
    {"terminateRun", "OX"},
    {"pauseRun", "OX"},
    {"resumeRun", "OX"},
    {"signalRun", "DOX"},
    {"deleteRun", "X"},
    {"startBulk", "OX"},
    {"exportRun", "VDOAX"},
    {"importRuns", "X"},
    {"getOperation", "VDOAX"},
    {"startRuns", "DOX"},
    {"signalWithStart", "DOX"},
    {"editRunInput", "DOX"},
    {"approveRun", "DOAX"},
    {"compensateRun", "OX"},
    {"resetRun", "OX"},
    {"restartRun", "DOX"},
    {"publishEvents", "DOX"},
    {"createSubscription", "DOX"},
    {"listSubscriptions", "DOX"},
    {"getSubscription", "DOX"},
    {"deleteSubscription", "DOX"},
    {"listBudgets", "VDOAX"},
    {"getBudget", "VDOAX"},
    {"putBudget", "X"},
    {"testConnector", "X"},
    {"listAuditEvents", "X"},
    {"verifyAuditEvents", "X"},
    {"listKeys", "X"},
    {"listModels", "LDOX"},
    {"getUsage", "VDOAX"},
    {"getModel", "LDOX"},
    {"listProviders", "VDOAX"},
    {"getProvider", "VDOAX"},
    {"testProvider", "OX"},
    {"putProviderKey", "*"},
    {"deleteProviderKey", "*"},
    {"createKey", "X"},
    {"getKey", "X"},
    {"revokeKey", "X"},
    {"rotateKey", "X"},
    {"deleteBudget", "X"},
    {"createSchedule", "DOX"},
    {"listSchedules", "VDOAX"},
    {"getSchedule", "VDOAX"},
    {"putSchedule", "DOX"},
    {"deleteSchedule", "DOX"},
    {"pauseSchedule", "DOX"},
    {"resumeSchedule", "DOX"},
    {"triggerSchedule", "DOX"},
    {"backfillSchedule", "DOX"},
    {"getUpcoming", "VDOAX"},
    {"listApprovals", "VDOAX"},
    {"getApproval", "VDOAX"},
    {"approve", "AX"},
    {"reject", "AX"},
    {"editApproval", "AX"},
    {"listWorkflows", "VDOAX"},
    {"putWorkflow", "DOX"},
    {"validateWorkflow", "DOX"},
    {"getWorkflow", "VDOAX"},
    {"listWorkflowVersions", "VDOAX"},
    {"getWorkflowVersion", "VDOAX"},
    {"getWorkflowGraph", "VDOAX"},
    {"createFile", "DOWX"},
    {"listFiles", "DOWX"},
    {"getFile", "DOWX"},
    {"getFileContent", "DOWX"},
    {"deleteFile", "DOWX"},
    {"listAssistants", "VDOAX"},
    {"putAssistant", "DOX"},
    {"getAssistant", "VDOAX"},
    {"listAssistantVersions", "VDOAX"},
    {"getAssistantVersion", "VDOAX"},
    {"deleteAssistantVersion", "DOX"},
    {"renderAssistant", "DOX"},
    {"failRun", "OX"},
    {"getCache", "VDOAX"},
    {"clearCache", "OX"},
    {"listQueues", "VDOAX"},
    {"setQueue", "OX"},
    {"pauseQueue", "OX"},
    {"resumeQueue", "OX"},
    {"purgeQueue", "OX"},
    {"pollQueue", "WX"},
    {"getJob", "VDOAX"},
    {"cancelJob", "DOX"},
    {"heartbeatJob", "WX"},
    {"completeJob", "WX"},
    {"failJob", "WX"},
    {"releaseJob", "WX"},
    {"listWorkers", "VDOAX"},
    {"getWorker", "VDOAX"},
    {"drainWorker", "OX"},
    {"resumeWorker", "OX"},
    {"listTools", "VDOAX"},
    {"getTool", "VDOAX"},
    {"invokeTool", "DOX"},
    {"postMcp", "DOX"},
    {"getQueue", "VDOAX"},
    {"listBackups", "VDOAX"},
    {"createBackup", "OX"},
    {"getBackup", "VDOAX"},
    {"listCircuitBreakers", "VDOAX"},
    {"getCircuitBreaker", "VDOAX"},
    {"resetCircuitBreaker", "OX"},
    {"openCircuitBreaker", "OX"},
    {"listLimits", "VDOAX"},
    {"getLimit", "VDOAX"},
    {"setLimit", "OX"},
    {"deleteLimit", "OX"},
    {"listDeadLetters", "VDOAX"},
    {"redriveDeadLetter", "OX"},
    {"redriveDeadLetters", "OX"},
    {"dropDeadLetter", "OX"},
    {"listSecrets", "X"},
    {"chatCompletions", "LDOX"},
    {"embeddings", "LDOX"},
    {"createMessage", "LDOX"},
    {"countTokens", "LDOX"},
    {"generateContent", "LDOX"},
    {"listContentModels", "LDOX"},
    {"getContentModel", "LDOX"},
    {"getSystemStatus", "VDOAX"},
    {"createBackup", "OX"},
    {"listBackups", "VDOAX"},
    {"getBackup", "VDOAX"},
    {"getVersion", ""},
    {"getHealth", ""},
    {"getOpenapi", ""},
};

static const char *may_of(const char *operation)
{
    for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
        if (strcmp(rights[i].operation, operation) == 0) return rights[i].may;
    }
    fail_msg("%s has no row", operation);
    return NULL;
}

/* What is sent; the rest is refused for its role before anybody looks for a body. */
static const char *body_of(const char *operation)
{
    return strcmp(operation, "putProviderKey") == 0 ? "{\"secret\": \"a\"}" : NULL;
}

static void put_path(const struct route *route, struct buf *path)
{
    for (size_t i = 0; i < route->segment_count; i++) {
        bool is_param = route->segments[i].len > 0 && route->segments[i].ptr[0] == '{';
        (void)buf_printf(path, "/" STR_FMT, is_param ? 1 : (int)route->segments[i].len,
                         is_param ? "a" : route->segments[i].ptr);
    }
    (void)buf_put_byte(path, '\0');
}

static void each_role_may_what_its_row_says(void **state)
{
    static const char letters[]                       = "VDOAWLX*";
    struct fixture *it                                = *state;
    struct error error                                = {};
    const char **operations                           = server_operations();
    CLEANUP(contract_freep) struct contract *contract = NULL;
    assert_int_equal(contract_load(operations, &contract, &error), STATUS_OK);
    free(operations);
    set_run(it, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    uint32_t count             = 0;
    const struct route *routes = contract_routes(contract, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct route *route = &routes[i];
        if (route->is_later) continue;
        const char *may                   = may_of(route->operation);
        CLEANUP(buf_done) struct buf path = buf_init(256);
        put_path(route, &path);
        struct wish wish = {.method = method_name(route->method),
                            .path   = path.ptr,
                            .body   = body_of(route->operation)};
        for (enum fake_key key = FAKE_VIEWER; key <= FAKE_ROOT; key++) {
            wish.key        = key;
            int http_status = exchange(it, &wish);
            bool is_refused = http_status == 401 || http_status == 403;
            bool is_allowed = !*may || strchr(may, letters[key]) != NULL ||
                              (key == FAKE_ROOT && strchr(may, 'X'));
            if (is_refused == is_allowed || http_status == 0) {
                fail_msg("%s by %c: %d", route->operation, letters[key], http_status);
            }
        }
        wish.key        = FAKE_KEY_COUNT;
        int http_status = exchange(it, &wish);
        if ((http_status == 401) != (*may != '\0')) {
            fail_msg("%s without key: %d", route->operation, http_status);
        }
    }
}

static void later_paths_say_so_and_only_to_those_who_may(void **state)
{
    struct fixture *it = *state;
    struct wish wish   = {
          .method = "POST", .path = "/v1/webhooks", .key = FAKE_DEVELOPER, .body = "{}"};
    assert_int_equal(exchange(it, &wish), 501); /* also while the key is not known yet */
    assert_true(has(it, "not_implemented"));
    assert_int_equal(exchange(it, &wish), 501);
    wish.key = FAKE_VIEWER;
    assert_int_equal(exchange(it, &wish), 403);
}

static void a_key_is_looked_up_once_and_a_bad_one_refused(void **state)
{
    struct fixture *it = *state;
    assert_int_equal(get(it, run_path), 200);
    assert_int_equal(get(it, run_path), 200);
    assert_int_equal(fake_count(&it->fake, &it->fake.looked_up), 1);

    struct wish wish = {.method = "GET", .path = run_path, .key = FAKE_REVOKED};
    assert_int_equal(exchange(it, &wish), 401);
    assert_true(has(it, "WWW-Authenticate: Bearer"));
    wish.key     = FAKE_KEY_COUNT;
    wish.headers = "Authorization: Bearer tutti_000000000000_"
                   "0000000000000000000000000000000000000000000\r\n";
    assert_int_equal(exchange(it, &wish), 401);
    assert_int_equal(exchange(it, &wish), 401);
    assert_int_equal(fake_count(&it->fake, &it->fake.looked_up), 3); /* guesses are remembered */
    wish.headers = "Authorization: Basic eDp5\r\n";
    assert_int_equal(exchange(it, &wish), 401);
}

static void the_namespace_is_the_keys(void **state)
{
    struct fixture *it = *state;
    assert_int_equal(get(it, run_path), 200);
    assert_true(noted(it, it->fake.namespace, "acme"));
    struct wish wish = {.method  = "GET",
                        .path    = run_path,
                        .key     = FAKE_DEVELOPER,
                        .headers = "Tutti-Namespace: other\r\n"};
    assert_int_equal(exchange(it, &wish), 403);
    wish.key = FAKE_ROOT;
    assert_int_equal(exchange(it, &wish), 404);
    assert_true(noted(it, it->fake.namespace, "other"));
    wish.headers = NULL;
    assert_int_equal(exchange(it, &wish), 200);
    assert_true(noted(it, it->fake.namespace, "*"));
    wish.headers = "Tutti-Namespace: No_Name\r\n";
    assert_int_equal(exchange(it, &wish), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(each_role_may_what_its_row_says),
        FIXTURE_TEST(later_paths_say_so_and_only_to_those_who_may),
        FIXTURE_TEST(a_key_is_looked_up_once_and_a_bad_one_refused),
        FIXTURE_TEST(the_namespace_is_the_keys),
    };
    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
