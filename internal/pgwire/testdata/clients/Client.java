import java.math.BigDecimal;
import java.sql.*;
import java.util.Properties;

/** What JDBC sees. Arguments: port. */
public class Client {
    static void show(String what, ResultSet r, int... columns) throws SQLException {
        int n = 0;
        while (r.next()) {
            n++;
            StringBuilder b = new StringBuilder(what);
            for (int c : columns) b.append(" ").append(r.getString(c));
            if (columns.length > 0) System.out.println(b);
        }
        if (columns.length == 0) System.out.println(what + (n > 0 ? " some" : " none"));
    }

    public static void main(String[] args) throws SQLException {
        Properties p = new Properties();
        p.setProperty("user", "someone");
        Connection c = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + args[0] + "/aws", p);
        DatabaseMetaData d = c.getMetaData();
        System.out.println(d.getDatabaseProductName() + " " + d.getDatabaseProductVersion());
        show("catalog", d.getCatalogs(), 1);
        show("schema", d.getSchemas(null, "kms"), 1);
        show("table", d.getTables(null, "kms", "alias%", new String[] {"TABLE"}), 2, 3, 4, 5);
        show("column", d.getColumns(null, "kms", "aliases", "%"), 4, 6, 11, 12);
        show("key", d.getPrimaryKeys(null, "kms", "aliases"), 4, 5, 6);
        show("index", d.getIndexInfo(null, "kms", "aliases", true, false), 6, 8, 9);
        show("privilege", d.getTablePrivileges(null, "kms", "aliases"), 5, 6);
        show("types", d.getTypeInfo());
        show("all tables", d.getTables(null, null, "%", null));
        show("imported keys", d.getImportedKeys(null, "kms", "aliases"));
        show("exported keys", d.getExportedKeys(null, "kms", "aliases"));
        show("functions", d.getFunctions(null, null, "t%"));
        show("procedures", d.getProcedures(null, null, "%"));
        show("udts", d.getUDTs(null, null, "%", null));
        show("row id", d.getBestRowIdentifier(null, "kms", "aliases", DatabaseMetaData.bestRowSession, true));
        System.out.println(d.getSQLKeywords().isEmpty() + " " + d.getMaxColumnNameLength());

        PreparedStatement s = c.prepareStatement("SELECT username, security_profile_arns, count(*) OVER () FROM connect.users WHERE region = ? AND username LIKE ? ORDER BY 1 LIMIT ?");
        for (int i = 0; i < 7; i++) { // from the sixth on the driver names the statement and takes binary values
            s.setString(1, "us-east-1");
            s.setString(2, "a%");
            s.setInt(3, 1);
            ResultSet r = s.executeQuery();
            r.next();
            if (i % 6 == 0) System.out.println(r.getString(1) + " " + ((String[]) r.getArray(2).getArray()).length + " " + r.getMetaData().getColumnTypeName(2));
        }
        c.setAutoCommit(false);
        Statement f = c.createStatement();
        f.setFetchSize(3);
        ResultSet r = f.executeQuery("SELECT x, x::DOUBLE, 1.50::DECIMAL(9,2), TIMESTAMPTZ '2026-01-02 03:04:05+00', true FROM range(10) t(x) ORDER BY x");
        long sum = 0;
        while (r.next()) sum += r.getLong(1);
        System.out.println(sum);
        c.commit();
        try {
            f.executeQuery("SELECT nope");
        } catch (SQLException e) {
            System.out.println(e.getSQLState());
        }
        try {
            f.executeQuery("SELECT 1");
        } catch (SQLException e) {
            System.out.println(e.getSQLState());
        }
        c.rollback();
        PreparedStatement q = c.prepareStatement("SELECT ?::int + 1, x FROM range(3) t(x) WHERE x > ?");
        q.setInt(1, 4);
        q.setBigDecimal(2, new BigDecimal("1.5"));
        ResultSet v = q.executeQuery();
        v.next();
        System.out.println(v.getInt(1) + " " + v.getLong(2));
        c.rollback();
        c.setAutoCommit(true);
        c.setReadOnly(true);
        c.setSchema("kms");
        System.out.println(c.isValid(1) + " " + c.getSchema() + " " + c.getCatalog());
        c.close();
    }
}
