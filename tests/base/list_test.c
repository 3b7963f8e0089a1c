#include "test.h"

#include "base/list.h"

struct item {
    char name;
    struct swale__list link;
};

/* Checks the ring in both directions against a string of names. */
static void assert_names(struct swale__list *head, const char *names)
{
    struct swale__list *node = head;
    for (const char *name = names; *name; name++) {
        assert_ptr_equal(node->next->prev, node);
        node = node->next;
        assert_int_equal(SWALE__LIST_OWNER(node, struct item, link)->name, *name);
    }
    assert_ptr_equal(node->next, head);
    assert_ptr_equal(head->prev, node);
}

struct fixture {
    struct swale__list head;
    struct item a, b, c;
};

static void set_up(struct fixture *f)
{
    swale__list_init(&f->head);
    struct item *items[] = { &f->a, &f->b, &f->c };
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        items[i]->name = (char)('a' + i);
        swale__list_init(&items[i]->link);
    }
}

static void keeps_order(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    assert_true(swale__list_empty(&f.head));
    assert_names(&f.head, "");
    swale__list_append(&f.head, &f.b.link);
    swale__list_append(&f.head, &f.c.link);
    swale__list_prepend(&f.head, &f.a.link);
    assert_false(swale__list_empty(&f.head));
    assert_names(&f.head, "abc");
    swale__list_remove(&f.c.link);
    swale__list_insert(&f.b.link, &f.c.link);
    assert_names(&f.head, "acb");
}

static void removing_twice_is_harmless(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    swale__list_append(&f.head, &f.a.link);
    swale__list_append(&f.head, &f.b.link);
    swale__list_remove(&f.a.link);
    swale__list_remove(&f.a.link);
    assert_true(swale__list_empty(&f.a.link));
    assert_names(&f.head, "b");
}

static void pops_from_the_front(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    swale__list_append(&f.head, &f.a.link);
    swale__list_append(&f.head, &f.b.link);
    assert_ptr_equal(swale__list_pop(&f.head), &f.a.link);
    assert_true(swale__list_empty(&f.a.link));
    assert_ptr_equal(swale__list_pop(&f.head), &f.b.link);
    assert_null(swale__list_pop(&f.head));
}

static void moves_all(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct swale__list to;
    swale__list_init(&to);
    swale__list_move(&to, &f.head);
    assert_names(&to, "");
    swale__list_append(&to, &f.a.link);
    swale__list_append(&f.head, &f.b.link);
    swale__list_append(&f.head, &f.c.link);
    swale__list_move(&to, &f.head);
    assert_names(&to, "abc");
    assert_names(&f.head, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(pops_from_the_front),
        cmocka_unit_test(moves_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
