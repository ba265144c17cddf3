/* Names and their addresses. This program's own getaddrinfo() stands in the place of the system's
 * and answers when the test lets it. */
#include "http/plain_names.h"

#include "cmocka.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TURNS_MAX = 20'000, TURN_MS = 10 };

static pthread_mutex_t mutex  = PTHREAD_MUTEX_INITIALIZER; /* of the next four */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned asked, ended;
static bool is_held, fails;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_list)
{
    struct addrinfo *one        = calloc(1, sizeof *one + sizeof(struct sockaddr_in));
    struct sockaddr_in *address = (struct sockaddr_in *)(one + 1);
    (void)name;
    (void)service;
    (void)hints;
    address->sin_family = AF_INET;
    address->sin_addr   = (struct in_addr){htonl(INADDR_LOOPBACK)};
    one->ai_family      = AF_INET;
    one->ai_addrlen     = sizeof *address;
    one->ai_addr        = (struct sockaddr *)address;
    (void)pthread_mutex_lock(&mutex);
    asked++;
    (void)pthread_cond_broadcast(&changed);
    while (is_held) (void)pthread_cond_wait(&changed, &mutex);
    bool has_failed = fails;
    ended++;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&mutex);
    *ret_list = one;
    if (!has_failed) return 0;
    free(one);
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
    free(list);
}

static void set(bool *what, bool value)
{
    (void)pthread_mutex_lock(&mutex);
    *what = value;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

static unsigned questions(void)
{
    (void)pthread_mutex_lock(&mutex);
    unsigned count = asked;
    (void)pthread_mutex_unlock(&mutex);
    return count;
}

/* --- Fixture ---------------------------------------------------------------------------------- */

struct fixture {
    struct loop *loop;
    struct names *names;
    int64_t now_ms;
};

struct asker {
    struct names_question question;
    unsigned answers, addresses;
    bool has_error;
};

static int64_t clock_of(void *context)
{
    const struct fixture *f = context;
    return f->now_ms;
}

static int set_up(void **state)
{
    struct fixture *f                 = calloc(1, sizeof *f);
    const struct loop_options options = {.clock = clock_of, .clock_context = f};
    f->now_ms                         = 1'000;
    assert_int_equal(loop_new(&options, &f->loop, NULL), STATUS_OK);
    f->names = names_new(f->loop);
    asked = ended = 0;
    is_held = fails = false;
    *state          = f;
    return 0;
}

/* Threads that are nobody's are waited for, so that what they leave is seen. */
static int tear_down(void **state)
{
    struct fixture *f = *state;
    names_free(f->names);
    set(&is_held, false);
    (void)pthread_mutex_lock(&mutex);
    while (ended < asked) (void)pthread_cond_wait(&changed, &mutex);
    (void)pthread_mutex_unlock(&mutex);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void answered(const struct net_addresses *addresses, void *context)
{
    struct asker *asker = context;
    asker->answers++;
    asker->addresses = addresses->count;
    asker->has_error = addresses->error != NULL;
}

static enum names_answer find(const struct fixture *f, const char *host, struct asker *asker)
{
    const struct net_addresses *addresses = NULL;
    asker->question          = (struct names_question){.answered = answered, .context = asker};
    enum names_answer answer = names_find(f->names, str_from(host), &asker->question, &addresses);
    if (answer == NAMES_KNOWN) asker->addresses = addresses->count;
    return answer;
}

static void turn_until_answered(const struct fixture *f, const struct asker *asker)
{
    for (int turns = 0; asker->answers == 0; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(f->loop, TURN_MS);
    }
}

static void wait_for_questions(unsigned count)
{
    (void)pthread_mutex_lock(&mutex);
    while (asked < count) (void)pthread_cond_wait(&changed, &mutex);
    (void)pthread_mutex_unlock(&mutex);
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void one_question_is_for_all(void **state)
{
    struct fixture *f    = *state;
    struct asker many[3] = {};
    set(&is_held, true);
    for (int i = 0; i < 3; i++) assert_int_equal(find(f, "model.test", &many[i]), NAMES_ASKED);
    names_forget(&many[1].question);
    set(&is_held, false);
    turn_until_answered(f, &many[2]);
    assert_int_equal(many[0].answers, 1);
    assert_int_equal(many[1].answers, 0);
    assert_int_equal(many[2].addresses, 1);
    assert_int_equal(questions(), 1);
}

static void answers_are_kept_for_a_minute(void **state)
{
    struct fixture *f  = *state;
    struct asker asker = {};
    struct asker later = {};
    assert_int_equal(find(f, "model.test", &asker), NAMES_ASKED);
    turn_until_answered(f, &asker);
    f->now_ms += NAMES_KEPT_MS - 1;
    loop_turn(f->loop, 0);
    assert_int_equal(find(f, "model.test", &later), NAMES_KNOWN);
    assert_int_equal(later.addresses, 1);
    f->now_ms += 1;
    loop_turn(f->loop, 0);
    assert_int_equal(find(f, "model.test", &later), NAMES_ASKED);
    turn_until_answered(f, &later);
    assert_int_equal(questions(), 2);
}

static void failures_are_not_kept(void **state)
{
    struct fixture *f  = *state;
    struct asker asker = {};
    struct asker again = {};
    set(&fails, true);
    assert_int_equal(find(f, "model.test", &asker), NAMES_ASKED);
    turn_until_answered(f, &asker);
    assert_int_equal(asker.addresses, 0);
    assert_true(asker.has_error);
    set(&fails, false);
    assert_int_equal(find(f, "model.test", &again), NAMES_ASKED);
    turn_until_answered(f, &again);
    assert_int_equal(again.addresses, 1);
}

static void not_too_many_are_asked(void **state)
{
    struct fixture *f                        = *state;
    struct asker askers[NAMES_ASKED_MAX + 1] = {};
    char host[32];
    set(&is_held, true);
    for (int i = 0; i <= NAMES_ASKED_MAX; i++) {
        (void)snprintf(host, sizeof host, "model-%d.test", i);
        assert_int_equal(find(f, host, &askers[i]), i < NAMES_ASKED_MAX ? NAMES_ASKED : NAMES_BUSY);
    }
    set(&is_held, false);
    for (int i = 0; i < NAMES_ASKED_MAX; i++) turn_until_answered(f, &askers[i]);
    assert_int_equal(find(f, host, &askers[NAMES_ASKED_MAX]), NAMES_ASKED);
    turn_until_answered(f, &askers[NAMES_ASKED_MAX]);
}

static void not_too_many_are_remembered(void **state)
{
    struct fixture *f  = *state;
    struct asker asker = {};
    char host[32];
    for (int i = 0; i <= NAMES_MAX; i++) { /* the last one takes the place of the first */
        (void)snprintf(host, sizeof host, "model-%d.test", i);
        f->now_ms += 1;
        loop_turn(f->loop, 0);
        asker.answers = 0;
        assert_int_equal(find(f, host, &asker), NAMES_ASKED);
        turn_until_answered(f, &asker);
    }
    assert_int_equal(find(f, "model-1.test", &asker), NAMES_KNOWN);
    assert_int_equal(find(f, host, &asker), NAMES_KNOWN);
    asker.answers = 0;
    assert_int_equal(find(f, "model-0.test", &asker), NAMES_ASKED);
    turn_until_answered(f, &asker);
}

/* Freed while a thread asks, and after it has asked, before anybody heard of it. */
static void nobody_waits_for_threads(void **state)
{
    struct fixture *f  = *state;
    struct asker asker = {};
    set(&is_held, true);
    assert_int_equal(find(f, "model.test", &asker), NAMES_ASKED);
    wait_for_questions(1);
    names_forget(&asker.question);
    names_free(f->names);
    f->names = names_new(f->loop);
    assert_int_equal(find(f, "other.test", &asker), NAMES_ASKED);
    wait_for_questions(2);
    names_forget(&asker.question);
    set(&is_held, false);
    (void)pthread_mutex_lock(&mutex);
    while (ended < 2) (void)pthread_cond_wait(&changed, &mutex);
    (void)pthread_mutex_unlock(&mutex);
    names_free(f->names);
    f->names = names_new(f->loop);
    loop_turn(f->loop, 0);
    assert_int_equal(asker.answers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_question_is_for_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_are_kept_for_a_minute, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_are_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_too_many_are_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_too_many_are_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_waits_for_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
