"""Trees as messages, for people to read and for shards to search."""

from aviary.search.v1 import query_pb2 as pb

from .domain_places import Box, Near, place_of, text_of
from .domain_tree import And, Node, Not, Or, Phrase, Range, Term

Operator = pb.QueryOperator


def message_of(node: Node) -> pb.QueryNode:
    """A tree as a message."""
    match node:
        case And(children):
            return pb.QueryNode(
                operator=Operator.QUERY_OPERATOR_AND, children=map(message_of, children)
            )
        case Or(children):
            return pb.QueryNode(
                operator=Operator.QUERY_OPERATOR_OR, children=map(message_of, children)
            )
        case Not(child):
            return pb.QueryNode(operator=Operator.QUERY_OPERATOR_NOT, children=[message_of(child)])
        case Phrase(values):
            return pb.QueryNode(
                operator=Operator.QUERY_OPERATOR_PHRASE, field="text", value=" ".join(values)
            )
        case Range(since_ms, until_ms):
            field, value = ("since", since_ms) if until_ms is None else ("until", until_ms)
            return pb.QueryNode(
                operator=Operator.QUERY_OPERATOR_RANGE, field=field, value=str(value)
            )
        case Near() | Box():
            field, text = text_of(node)
            return pb.QueryNode(operator=Operator.QUERY_OPERATOR_PLACE, field=field, value=text)
        case Term(field, value):
            return pb.QueryNode(operator=Operator.QUERY_OPERATOR_TERM, field=field, value=value)


def node_of(message: pb.QueryNode) -> Node:
    """A message as a tree; ValueError for what is none."""
    match message.operator:
        case Operator.QUERY_OPERATOR_AND:
            return And(tuple(map(node_of, message.children)))
        case Operator.QUERY_OPERATOR_OR:
            return Or(tuple(map(node_of, message.children)))
        case Operator.QUERY_OPERATOR_NOT:
            return Not(node_of(message.children[0]))
        case Operator.QUERY_OPERATOR_PHRASE:
            return Phrase(tuple(message.value.split(" ")))
        case Operator.QUERY_OPERATOR_RANGE if message.field == "since":
            return Range(since_ms=int(message.value))
        case Operator.QUERY_OPERATOR_RANGE:
            return Range(until_ms=int(message.value))
        case Operator.QUERY_OPERATOR_PLACE:
            return place_of(message.field, message.value)
        case Operator.QUERY_OPERATOR_TERM:
            return Term(message.field, message.value)
    raise ValueError(f"operator {message.operator} is unknown")
