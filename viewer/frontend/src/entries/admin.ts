// The operator's pages work without a script; this brings their style, and how a template would look.
import "../styles/admin.css";
import { showTemplateAsWritten } from "../admin/template_preview.ts";

showTemplateAsWritten();
