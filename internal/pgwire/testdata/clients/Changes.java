import java.sql.*;

// How the JDBC driver changes things. Arguments: port.
public class Changes {
    public static void main(String[] args) throws SQLException {
        String url = "jdbc:postgresql://127.0.0.1:" + args[0] + "/aws?user=someone&options=-c%20confirm=apply";
        try (Connection c = DriverManager.getConnection(url); Statement s = c.createStatement()) {
            try (PreparedStatement p = c.prepareStatement("INSERT INTO sqs.queues (queue_name, delay_seconds) VALUES (?, ?)")) {
                for (int i = 0; i < 3; i++) {
                    p.setString(1, "job" + i);
                    p.setInt(2, i);
                    p.addBatch();
                }
                int made = 0;
                for (int n : p.executeBatch()) {
                    made += n;
                }
                System.out.println("batch: " + made);
            }
            try (ResultSet r = s.executeQuery("SELECT count(DISTINCT change_set) FROM skyql.changes")) {
                r.next();
                System.out.println("change sets: " + r.getInt(1));
            }
            try (PreparedStatement p = c.prepareStatement("UPDATE sqs.queues SET delay_seconds = delay_seconds + ? WHERE queue_name LIKE 'job%' RETURNING queue_name, delay_seconds")) {
                p.setInt(1, 10);
                try (ResultSet r = p.executeQuery()) {
                    while (r.next()) {
                        System.out.println(r.getString(1) + " " + r.getLong(2));
                    }
                }
            }
            s.execute("SET confirm = 'plan'");
            c.setAutoCommit(false);
            System.out.println("planned: " + s.executeUpdate("DELETE FROM sqs.queues WHERE queue_name = 'job0'"));
            try {
                c.commit();
            } catch (SQLException e) {
                System.out.println(e.getSQLState());
            }
            s.executeUpdate("DELETE FROM sqs.queues WHERE queue_name = 'job1'");
            try (ResultSet r = s.executeQuery("SHOW PLAN")) {
                while (r.next()) {
                    System.out.println("plan: " + r.getString(1).replaceAll("http://[0-9.:]+", "CLOUD"));
                }
            }
            c.commit();
            c.setAutoCommit(true);
            try (ResultSet r = s.executeQuery("SELECT string_agg(queue_name, ' ' ORDER BY queue_name) FROM sqs.queues WHERE queue_name LIKE 'job%'")) {
                r.next();
                System.out.println(r.getString(1));
            }
            c.setReadOnly(true);
            c.setAutoCommit(false);
            try {
                s.executeUpdate("DELETE FROM sqs.queues WHERE queue_name = 'job2'");
            } catch (SQLException e) {
                System.out.println(e.getSQLState());
            }
        }
    }
}
