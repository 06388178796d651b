// The operator's pages work without a script; this brings only their style.
import "../styles/admin.css";
