{{/*
The rules of a role, from files/rights.yaml for the task types of the values. Takes `root` and `clusterWide`: the rules
for what lives in no namespace, or for the rest.
*/}}
{{- define "knavtool.rules" -}}
{{- $root := .root -}}
{{- $clusterWide := .clusterWide -}}
{{- $rights := $root.Files.Get "files/rights.yaml" | fromYaml -}}
{{- $objects := list -}}
{{- range $entry := $root.Values.objects -}}
  {{- range $group := $entry.apiGroups -}}
    {{- range $resource := $entry.resources -}}
      {{- $scope := default false $entry.clusterScoped -}}
      {{- $objects = append $objects (dict "apiGroup" $group "resource" $resource "clusterWide" $scope "tasks" $entry.tasks) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $verbs := dict -}}
{{- range $type := $root.Values.tasks | default (keys $rights) -}}
  {{- range $rule := get $rights $type -}}
    {{- $wanted := not $rule.of -}}
    {{- range $object := $objects -}}
      {{- if and $rule.of (or (not $object.tasks) (has $type $object.tasks)) (eq $object.apiGroup $rule.of.apiGroup) (eq $object.resource $rule.of.resource) -}}
        {{- $wanted = true -}}
      {{- end -}}
    {{- end -}}
    {{- if $wanted -}}
      {{- range $target := ternary $objects (list $rule) (default false $rule.submitted) -}}
        {{- $meant := or (not $target.tasks) (has $type $target.tasks) -}}
        {{- if and $meant (eq $target.clusterWide $clusterWide) -}}
          {{- $key := printf "%s %s%s %s" $target.apiGroup $target.resource (default "" $rule.suffix) (toJson (default list $rule.names)) -}}
          {{- $_ := set $verbs $key (concat (default list (get $verbs $key)) $rule.verbs) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $key := keys $verbs | sortAlpha }}
{{- $parts := splitList " " $key }}
- apiGroups: [{{ index $parts 0 | quote }}]
  resources: [{{ index $parts 1 | quote }}]
  {{- if ne (index $parts 2) "[]" }}
  resourceNames: {{ index $parts 2 }}
  {{- end }}
  verbs: {{ get $verbs $key | uniq | sortAlpha | toJson }}
{{- end -}}
{{- end -}}
