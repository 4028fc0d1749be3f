"""Direct messages: conversations, what is said in them, and the live stream of it."""

import contextlib
from collections.abc import AsyncGenerator
from operator import attrgetter

from aviary.notify.v1 import notify_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.graph import GraphClient
from services.chassis import sse
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError
from services.chassis.paging import cut_page, decode_key, page_size_of

from ..domain_messages import Conversation, State
from ..errors import ConversationNotFoundError, MessageNotFoundError
from ..live import LiveHub
from ..message_forms import conversation_of, message_of
from ..messaging import Messaging
from ..store.conversations import ConversationStore
from ..store.messages import MessageStore


class MessageMethods:
    """What members do in their conversations."""

    def __init__(
        self,
        messaging: Messaging,
        conversations: ConversationStore,
        messages: MessageStore,
        graph: GraphClient,
        hub: LiveHub,
    ) -> None:
        self._messaging = messaging
        self._conversations = conversations
        self._messages = messages
        self._member_graph = graph
        self._message_hub = hub

    async def create_conversation(
        self, request: pb.CreateConversationRequest, call: Call
    ) -> pb.CreateConversationResponse:
        """Open a conversation."""
        caller, key = call.require_caller(), call.idempotency_key(request.request_id)
        made = await self._messaging.create(caller, request.user_ids, request.title, key)
        found = await self._conversation(caller, made)
        return pb.CreateConversationResponse(conversation=conversation_of(found))

    async def get_conversation(
        self, request: pb.GetConversationRequest, call: Call
    ) -> pb.GetConversationResponse:
        """Answer a conversation."""
        found = await self._conversation(call.require_caller(), request.conversation_id)
        users = await self._member_graph.get_users(found.members)
        return pb.GetConversationResponse(conversation=conversation_of(found), users=users)

    async def list_conversations(
        self, request: pb.ListConversationsRequest, call: Call
    ) -> pb.ListConversationsResponse:
        """List the caller's conversations, or the requests."""
        caller, size = call.require_caller(), page_size_of(request.page_size)
        shape = ("conversations", caller, request.requests)
        before = decode_key(request.page_token, *shape)
        state = State.ASKED if request.requests else State.MEMBER
        rows = await self._conversations.page(caller, state, before, size + 1)
        shown, token = cut_page(rows, size, attrgetter("listed_id"), *shape)
        members = dict.fromkeys(user for row in shown for user in row.members)
        return pb.ListConversationsResponse(
            conversations=map(conversation_of, shown),
            users=await self._member_graph.get_users(members) if members else (),
            unread_count=await self._conversations.unread_count(caller),
            next_page_token=token,
        )

    async def accept_conversation(
        self, request: pb.AcceptConversationRequest, call: Call
    ) -> pb.AcceptConversationResponse:
        """Accept a request."""
        caller = call.require_caller()
        await self._conversation(caller, request.conversation_id)
        await self._conversations.accept(caller, request.conversation_id)
        found = await self._conversation(caller, request.conversation_id)
        return pb.AcceptConversationResponse(conversation=conversation_of(found))

    async def leave_conversation(
        self, request: pb.LeaveConversationRequest, call: Call
    ) -> pb.LeaveConversationResponse:
        """Leave a group, or take a conversation of two off the list."""
        caller = call.require_caller()
        await self._conversation(caller, request.conversation_id)
        await self._conversations.leave(caller, request.conversation_id)
        return pb.LeaveConversationResponse()

    async def send_message(
        self, request: pb.SendMessageRequest, call: Call
    ) -> pb.SendMessageResponse:
        """Send a message."""
        caller, key = call.require_caller(), call.idempotency_key(request.request_id)
        sent = await self._messaging.send(
            caller, request.conversation_id, request.text, request.tweet_id, key
        )
        return pb.SendMessageResponse(message=message_of(sent))

    async def share_tweet(self, request: pb.ShareTweetRequest, call: Call) -> pb.ShareTweetResponse:
        """Share a tweet."""
        caller, key = call.require_caller(), call.idempotency_key(request.request_id)
        sent = await self._messaging.share(
            caller, request.tweet_id, request.user_ids, request.text, key
        )
        return pb.ShareTweetResponse(messages=map(message_of, sent))

    async def list_messages(
        self, request: pb.ListMessagesRequest, call: Call
    ) -> pb.ListMessagesResponse:
        """Answer a page of a conversation."""
        caller, size = call.require_caller(), page_size_of(request.page_size)
        shape = ("messages", caller, request.conversation_id)
        before = decode_key(request.page_token, *shape)
        await self._conversation(caller, request.conversation_id)
        rows = await self._messages.messages(caller, request.conversation_id, before, size + 1)
        shown, token = cut_page(rows, size, attrgetter("message_id"), *shape)
        writers = dict.fromkeys(message.user_id for message in shown)
        tweets = await self._messaging.visible_tweets(caller, shown)
        return pb.ListMessagesResponse(
            messages=map(message_of, shown),
            users=await self._member_graph.get_users(writers) if writers else (),
            tweets=map(Tweet.FromString, tweets),
            next_page_token=token,
        )

    async def delete_message(
        self, request: pb.DeleteMessageRequest, call: Call
    ) -> pb.DeleteMessageResponse:
        """Take a message out of the caller's view."""
        caller = call.require_caller()
        await self._conversation(caller, request.conversation_id)
        if not await self._messages.hide(caller, request.conversation_id, request.message_id):
            raise MessageNotFoundError(message_id=request.message_id)
        return pb.DeleteMessageResponse()

    async def mark_conversation_read(
        self, request: pb.MarkConversationReadRequest, call: Call
    ) -> pb.MarkConversationReadResponse:
        """Move the caller's read marker."""
        caller, number = call.require_caller(), request.message_id
        if number <= 0:
            raise InvalidFieldError(field="message_id", problem="is required")
        await self._conversation(caller, request.conversation_id)
        if not await self._messages.mark_read(caller, request.conversation_id, number):
            raise MessageNotFoundError(message_id=number)
        found = await self._conversation(caller, request.conversation_id)
        return pb.MarkConversationReadResponse(unread_count=found.unread)

    async def stream_messages(
        self, request: pb.StreamMessagesRequest, call: Call
    ) -> AsyncGenerator[pb.StreamMessagesResponse, None]:
        """Stream what is said in all the caller's conversations."""
        caller = call.require_caller()
        pieces = self._message_hub.stream(caller, sse.cursor_in(call, request.last_event_id), call)
        async with contextlib.aclosing(sse.bodies(pieces, call)) as bodies:
            async for body in bodies:
                yield pb.StreamMessagesResponse(event_stream=body)

    async def _conversation(self, caller: int, conversation_id: int) -> Conversation:
        found = await self._conversations.get(caller, conversation_id)
        if found is None:
            raise ConversationNotFoundError(conversation_id=conversation_id)
        return found
