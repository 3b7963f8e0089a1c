/* list.h - an intrusive doubly linked list: a ring through a head.
 *
 *     head <-> a <-> b <-> head             an empty head, or a node in no list, points at itself
 *
 * A node lies inside what it links; SWALE__LIST_OWNER finds the way back. Removing a node from no list does
 * nothing, so an owner that goes away may always remove itself. Neither head nor nodes may move in memory. */
#ifndef SWALE_BASE_LIST_H
#define SWALE_BASE_LIST_H

#include <swale/base.h>

struct swale__list {
    struct swale__list *next, *prev;
};

#define SWALE__LIST_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* For a head and for a node alike. */
static inline void swale__list_init(struct swale__list *node)
{
    node->next = node;
    node->prev = node;
}

/* Whether a head has no nodes, or a node is in no list. */
static inline bool swale__list_empty(const struct swale__list *head)
{
    return head->next == head;
}

/* Puts a node that is in no list before `place`: at the end of the list when that is the head. */
static inline void swale__list_insert(struct swale__list *place, struct swale__list *node)
{
    node->next = place;
    node->prev = place->prev;
    place->prev->next = node;
    place->prev = node;
}

static inline void swale__list_append(struct swale__list *head, struct swale__list *node)
{
    swale__list_insert(head, node);
}

static inline void swale__list_prepend(struct swale__list *head, struct swale__list *node)
{
    swale__list_insert(head->next, node);
}

/* Leaves the node in no list. */
static inline void swale__list_remove(struct swale__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    swale__list_init(node);
}

/* Takes out and returns the first node, NULL when there is none. */
static inline struct swale__list *swale__list_pop(struct swale__list *head)
{
    struct swale__list *first = head->next;
    if (first == head)
        return NULL;
    swale__list_remove(first);
    return first;
}

/* Moves all nodes of `from` to the end of `to`. To visit nodes whose visit may change the list, move them to a
 * list of your own and pop: whoever is removed meanwhile is simply no longer met. */
static inline void swale__list_move(struct swale__list *to, struct swale__list *from)
{
    if (swale__list_empty(from))
        return;
    from->next->prev = to->prev;
    from->prev->next = to;
    to->prev->next = from->next;
    to->prev = from->prev;
    swale__list_init(from);
}

#endif
