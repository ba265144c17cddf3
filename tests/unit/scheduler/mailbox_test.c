#include "cmocka.h"

#include "base/clock.h"
#include "scheduler/engine/mailbox.h"

#include <pthread.h>

struct letter {
    struct mail mail;
    unsigned number;
};

static const struct letter *letter_of(const struct mail *mail)
{
    const void *letter = mail;
    return letter;
}

static void test_order_is_kept(void **)
{
    struct letter letters[5] = {};
    struct mailbox *mailbox  = mailbox_new(0, 0);
    for (unsigned i = 0; i < ARRAY_LEN(letters); i++) letters[i].number = i;
    letters[1].mail.next = &letters[2].mail; /* a chain of three */
    letters[2].mail.next = &letters[3].mail;
    assert_int_equal(mailbox_post(mailbox, &letters[0].mail, NULL), STATUS_OK);
    assert_int_equal(mailbox_post(mailbox, &letters[1].mail, NULL), STATUS_OK);
    assert_int_equal(mailbox_post(mailbox, &letters[4].mail, NULL), STATUS_OK);
    assert_int_equal(mailbox_depth(mailbox), 5);
    unsigned number = 0;
    for (struct mail *mail = mailbox_take(mailbox, INT64_MAX); mail; mail = mail->next) {
        assert_int_equal(letter_of(mail)->number, number++);
    }
    assert_int_equal(number, 5);
    assert_int_equal(mailbox_depth(mailbox), 0);
    assert_null(mailbox_take(mailbox, 0));
    mailbox_free(mailbox);
}

static void test_full_refuses_whole_chains(void **)
{
    struct letter letters[4] = {};
    struct error error       = {};
    struct mailbox *mailbox  = mailbox_new(3, 100);
    for (unsigned i = 0; i < 3; i++) letters[i].mail.size_bytes = 40;
    letters[0].mail.next = &letters[1].mail;
    assert_int_equal(mailbox_post(mailbox, &letters[0].mail, &error), STATUS_OK);
    assert_int_equal(mailbox_room(mailbox), 1);
    assert_int_equal(mailbox_post(mailbox, &letters[2].mail, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.code, "overloaded"); /* by bytes */
    assert_int_equal(mailbox_depth(mailbox), 2);
    letters[2].mail.size_bytes = 20;
    letters[2].mail.next       = &letters[3].mail;
    assert_int_equal(mailbox_post(mailbox, &letters[2].mail, &error), STATUS_RESOURCE_EXHAUSTED);
    letters[2].mail.next = NULL; /* two would not have fitted; one does */
    assert_int_equal(mailbox_post(mailbox, &letters[2].mail, &error), STATUS_OK);
    assert_int_equal(mailbox_room(mailbox), 0);
    assert_non_null(mailbox_take(mailbox, 0));
    assert_int_equal(mailbox_room(mailbox), 3);
    mailbox_free(mailbox);
}

static void test_closed_refuses_and_gives_out(void **)
{
    struct letter letters[2] = {};
    struct error error       = {};
    struct mailbox *mailbox  = mailbox_new(0, 0);
    assert_int_equal(mailbox_post(mailbox, &letters[0].mail, &error), STATUS_OK);
    mailbox_close(mailbox);
    assert_int_equal(mailbox_post(mailbox, &letters[1].mail, &error), STATUS_UNAVAILABLE);
    assert_string_equal(error.code, "draining");
    assert_int_equal(mailbox_room(mailbox), 0);
    assert_ptr_equal(mailbox_take(mailbox, INT64_MAX), &letters[0].mail);
    assert_null(mailbox_take(mailbox, INT64_MAX)); /* closed: nobody waits for ever */
    mailbox_free(mailbox);
}

static void test_waits_end(void **)
{
    struct mailbox *mailbox = mailbox_new(0, 0);
    assert_null(mailbox_take(mailbox, clock_mono_us() + 1));
    mailbox_wake(mailbox);
    assert_null(mailbox_take(mailbox, INT64_MAX)); /* woken before it waited */
    mailbox_free(mailbox);
}

/* A command that is one piece of work, and one that is forty. */
static void *post_in_two(void *context)
{
    struct mailbox *mailbox = context;
    static struct letter few; /* static: they outlive the thread */
    static struct letter many = {.mail = {.parts = 40}};
    assert_int_equal(mailbox_post(mailbox, &few.mail, NULL), STATUS_OK);
    assert_int_equal(mailbox_post(mailbox, &many.mail, NULL), STATUS_OK);
    return NULL;
}

static void test_gathers(void **)
{
    struct letter letters[2] = {};
    struct mailbox *mailbox  = mailbox_new(0, 0);
    letters[1].mail.parts    = 5;
    assert_int_equal(mailbox_gather(mailbox, 2, clock_mono_us() + 1), 0); /* nothing came */
    assert_int_equal(mailbox_post(mailbox, &letters[0].mail, NULL), STATUS_OK);
    assert_int_equal(mailbox_gather(mailbox, 2, clock_mono_us() + 1), 1);
    assert_int_equal(mailbox_gather(mailbox, 1, INT64_MAX), 1); /* it is there */
    assert_int_equal(mailbox_gather(mailbox, 9, 0), 1);         /* does not wait */
    assert_int_equal(mailbox_post(mailbox, &letters[1].mail, NULL), STATUS_OK);
    assert_int_equal(mailbox_parts(mailbox), 6);
    struct mail *taken = mailbox_take(mailbox, INT64_MAX);
    assert_ptr_equal(taken, &letters[0].mail);
    assert_int_equal(mail_parts(taken), 6);
    assert_int_equal(mail_parts(NULL), 0);
    assert_int_equal(mailbox_parts(mailbox), 0);

    pthread_t poster;
    assert_int_equal(pthread_create(&poster, NULL, post_in_two, mailbox), 0);
    assert_int_equal(mailbox_gather(mailbox, 41, INT64_MAX), 41); /* both, or it hangs */
    assert_int_equal(pthread_join(poster, NULL), 0);
    assert_non_null(mailbox_take(mailbox, 0));

    mailbox_wake(mailbox);
    assert_int_equal(mailbox_gather(mailbox, 1, INT64_MAX), 0); /* woken before it waited */
    mailbox_close(mailbox);
    assert_null(mailbox_take(mailbox, 0)); /* takes the wake, too */
    assert_int_equal(mailbox_gather(mailbox, 1, INT64_MAX), 0);
    mailbox_free(mailbox);
}

/* Several post, one takes: nothing is lost, nothing comes twice, each one's order is kept. */
enum { POSTERS = 4, LETTERS_EACH = 5'000 };

struct poster {
    struct mailbox *mailbox;
    struct letter letters[LETTERS_EACH];
};

static void *post_all(void *context)
{
    struct poster *poster = context;
    for (unsigned i = 0; i < LETTERS_EACH; i++) {
        poster->letters[i].number = i;
        while (mailbox_post(poster->mailbox, &poster->letters[i].mail, NULL) != STATUS_OK) continue;
    }
    return NULL;
}

static struct poster posters[POSTERS]; /* too large for a stack */

static void test_threads(void **)
{
    struct mailbox *mailbox = mailbox_new(64, 0);
    pthread_t threads[POSTERS];
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i].mailbox = mailbox;
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
    }
    unsigned next[POSTERS] = {};
    unsigned taken         = 0;
    while (taken < POSTERS * LETTERS_EACH) {
        struct mail *mail = mailbox_take(mailbox, INT64_MAX);
        for (; mail; mail = mail->next, taken++) {
            const struct letter *letter = letter_of(mail);
            unsigned from               = 0;
            while (letter < posters[from].letters ||
                   letter >= posters[from].letters + LETTERS_EACH) {
                from++;
            }
            assert_int_equal(letter->number, next[from]++);
        }
    }
    for (unsigned i = 0; i < POSTERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(mailbox_depth(mailbox), 0);
    mailbox_free(mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_kept),
        cmocka_unit_test(test_full_refuses_whole_chains),
        cmocka_unit_test(test_closed_refuses_and_gives_out),
        cmocka_unit_test(test_waits_end),
        cmocka_unit_test(test_gathers),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
