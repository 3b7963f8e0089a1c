#include "harness.h"

#include "memory.h"

#include "conn/state.h"

#include <stdio.h>

struct fixture {
    struct test_memory memory;
    struct swale_allocator allocator;
    struct swale__conn_group group;
};

static void begin(struct fixture *f, enum swale_role role)
{
    *f = (struct fixture){ .group.config.role = role };
    f->allocator = test_allocator(&f->memory);
    f->group.allocator = &f->allocator;
}

static void end(struct fixture *f)
{
    swale__terms_forget(&f->group);
    assert_int_equal(f->memory.blocks, 0);
}

static const struct swale_deflate_params alone = { .server_no_context_takeover = true,
                                                   .client_no_context_takeover = true,
                                                   .server_max_window_bits = 8,
                                                   .client_max_window_bits = 12 };
static const struct swale_deflate_params takeover = { .client_no_context_takeover = true,
                                                      .server_max_window_bits = 15,
                                                      .client_max_window_bits = 12 };

static struct swale__terms *hold(struct fixture *f, const char *subprotocol,
                                 const struct swale_deflate_params *deflate)
{
    struct swale__conn_open open = { .subprotocol = swale_text(subprotocol), .deflate = deflate != NULL };
    struct swale__terms *terms;
    if (deflate)
        open.deflate_params = *deflate;
    assert_int_equal(swale__terms_hold(&terms, &f->group, &open), 0);
    return terms;
}

/* Of the two sides' parameters each role takes its own; of 8 bits there is no raw window. */
static void test_whose_they_are(void **state)
{
    (void)state;
    for (int role = 0; role < 2; role++) {
        struct fixture f;
        bool server = role == SWALE_SERVER;
        begin(&f, (enum swale_role)role);
        struct swale__terms *terms = hold(&f, "", &alone);
        assert_true(terms->deflate && !terms->send_takeover && !terms->receive_takeover);
        assert_int_equal(terms->send_bits, server ? 0 : 12);
        assert_int_equal(terms->receive_bits, server ? 12 : 8);
        swale__terms_release(&f.group, terms);
        terms = hold(&f, "", &takeover);
        assert_int_equal(terms->send_takeover, server);
        assert_int_equal(terms->receive_takeover, !server);
        swale__terms_release(&f.group, terms);
        end(&f);
    }
}

static void test_none(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SWALE_SERVER);
    assert_null(hold(&f, "", NULL));
    swale__terms_release(&f.group, NULL);
    assert_int_equal(f.memory.allocations, 0);
    end(&f);
}

/* Those that agree cost nothing for each; what differs in anything stays apart. */
static void test_shared(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SWALE_SERVER);
    struct swale__terms *chat = hold(&f, "chat", NULL), *both = hold(&f, "chat", &alone),
                        *other = hold(&f, "char", NULL);
    uint64_t before = f.memory.allocations;
    for (int i = 0; i < 1000; i++) {
        assert_ptr_equal(hold(&f, "chat", NULL), chat);
        assert_ptr_equal(hold(&f, "chat", &alone), both);
    }
    assert_int_equal(f.memory.allocations, before);
    assert_true(chat != both && chat != other && both != other);
    assert_true(swale_span_equal(both->subprotocol, swale_text("chat")) && both->deflate && !chat->deflate);
    for (int i = 0; i < 1001; i++) {
        swale__terms_release(&f.group, chat);
        swale__terms_release(&f.group, both);
    }
    swale__terms_release(&f.group, other);
    end(&f);
}

/* A window is one connection's. */
static void test_windows_are_not_shared(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SWALE_SERVER);
    struct swale__terms *one = hold(&f, "", &takeover), *another = hold(&f, "", &takeover);
    assert_ptr_not_equal(one, another);
    assert_int_equal(swale_deflater_new(&one->deflater, &f.allocator, 15, true, 0), 0);
    assert_int_equal(swale_inflater_new(&one->inflater, &f.allocator, 15, true), 0);
    swale__terms_release(&f.group, one);
    swale__terms_release(&f.group, another);
    assert_int_equal(f.memory.blocks, 0);
    end(&f);
}

/* However many kinds there are, the group keeps few; what it has forgotten lives as long as its connections. */
static void test_many_kinds(void **state)
{
    (void)state;
    enum { KINDS = 100 };
    struct fixture f;
    struct swale__terms *terms[KINDS];
    char name[16];
    begin(&f, SWALE_SERVER);
    for (int i = 0; i < KINDS; i++) {
        snprintf(name, sizeof name, "kind %d", i);
        terms[i] = hold(&f, name, NULL);
    }
    assert_true(swale_span_equal(terms[0]->subprotocol, swale_text("kind 0")));
    for (int i = 0; i < KINDS; i++)
        swale__terms_release(&f.group, terms[i]);
    assert_int_equal(f.memory.blocks, SWALE__TERMS_KNOWN);
    end(&f);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    struct swale__terms *terms;
    begin(&f, SWALE_SERVER);
    f.memory.fail_at = 1;
    assert_int_equal(
        swale__terms_hold(&terms, &f.group, &(struct swale__conn_open){ .subprotocol = swale_text("a") }), -ENOMEM);
    assert_null(terms);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose_they_are), cmocka_unit_test(test_none),
        cmocka_unit_test(test_shared),         cmocka_unit_test(test_windows_are_not_shared),
        cmocka_unit_test(test_many_kinds),     cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
