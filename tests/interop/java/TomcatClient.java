// TomcatClient.java - Debian's Tomcat 9 as a client of ours, by the Java WebSocket API: see systems.py.

import java.net.URI;
import java.nio.ByteBuffer;
import java.util.List;
import javax.websocket.ClientEndpointConfig;
import javax.websocket.CloseReason;
import javax.websocket.ContainerProvider;
import javax.websocket.Endpoint;
import javax.websocket.EndpointConfig;
import javax.websocket.Extension;
import javax.websocket.PongMessage;
import javax.websocket.Session;
import javax.websocket.WebSocketContainer;

public class TomcatClient extends Talk {
    private Session session;

    private static class Deflate implements Extension {
        @Override
        public String getName() {
            return "permessage-deflate";
        }

        @Override
        public List<Extension.Parameter> getParameters() {
            return List.of();
        }
    }

    private class Listener extends Endpoint {
        @Override
        public void onOpen(Session opened, EndpointConfig config) {
            opened.addMessageHandler(String.class, heard::add);
            opened.addMessageHandler(byte[].class, heard::add);
            opened.addMessageHandler(PongMessage.class, pong -> heard.add(pong.getApplicationData()));
        }

        @Override
        public void onClose(Session closed, CloseReason reason) {
            heard.add(reason.getCloseCode().getCode());
        }
    }

    @Override
    void text(String message) throws Exception {
        session.getBasicRemote().sendText(message);
    }

    @Override
    void binary(byte[] message) throws Exception {
        session.getBasicRemote().sendBinary(ByteBuffer.wrap(message));
    }

    @Override
    void fragments(String... parts) throws Exception {
        for (int i = 0; i < parts.length; i++)
            session.getBasicRemote().sendText(parts[i], i == parts.length - 1);
    }

    @Override
    void ping(String payload) throws Exception {
        session.getBasicRemote().sendPing(ByteBuffer.wrap(payload.getBytes()));
    }

    @Override
    void close(int code, String reason) throws Exception {
        session.close(new CloseReason(CloseReason.CloseCodes.getCloseCode(code), reason));
    }

    public static void main(String[] arguments) throws Exception {
        WebSocketContainer container = ContainerProvider.getWebSocketContainer();
        container.setDefaultMaxTextMessageBufferSize(LARGEST);
        container.setDefaultMaxBinaryMessageBufferSize(LARGEST);
        boolean deflate = arguments[1].equals("deflate");
        List<Extension> offer = deflate ? List.of(new Deflate()) : List.of();
        ClientEndpointConfig config = ClientEndpointConfig.Builder.create().extensions(offer).build();
        if (arguments.length > 2)
            config.getUserProperties().put("org.apache.tomcat.websocket.SSL_CONTEXT", Pem.trusting(arguments[2]));
        TomcatClient talk = new TomcatClient();
        talk.session = container.connectToServer(talk.new Listener(), config, URI.create(arguments[0]));
        talk.run(!talk.session.getNegotiatedExtensions().isEmpty());
        System.exit(0);
    }
}
